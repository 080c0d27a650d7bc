package pages

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"assay/internal/query"
)

// Limits of a page of a workflow, so that one is read and sent at once however much there is.
const (
	itemsShown = 100     // items of a page
	itemBytes  = 4_000   // shown of one text of an item
	pageBytes  = 200_000 // of the texts of a page; one more item may go beyond
)

// workflowPage is one workflow: what was said and done, oldest first.
type workflowPage struct {
	*query.Workflow
	Look   string    `json:"-"` // conversation or timeline
	Looks  []string  `json:"-"`
	At     time.Time `json:"-"` // as it was then; zero: as it is
	Turns  []turn    `json:"-"`
	From   int       `json:"-"` // items before those shown
	Next   int       `json:"-"` // of the page of newer ones, 0 for none
	Before int       `json:"-"` // of the page of older ones, -1 for none
	Slider *slider   `json:"-"` // nil where no two items have a time
	Ticks  []tick    `json:"-"` // of the timeline
}

// turn is an item of a conversation.
type turn struct {
	query.Entity
	Who   string // user, assistant, system, tool, call or event
	Calls []toolCall
	X, W  float64 // place and length in the timeline, in thousandths
}

// toolCall is a call that a message asks for.
type toolCall struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// tick is a mark on the axis of a timeline.
type tick struct {
	X     float64 // in thousandths
	After int64   // µs since its begin
}

// slider chooses a time between the first and the last of a workflow, in milliseconds after the first.
type slider struct {
	First time.Time
	Long  int64
	Value int64
}

var looks = []string{"conversation", "timeline"}

func (s *site) workflow(r *http.Request) (*page, error) {
	asked := r.URL.Query()
	p := &workflowPage{Look: asked.Get("view"), Looks: looks}
	if !slices.Contains(looks, p.Look) {
		p.Look = looks[0]
	}
	from, err1 := number(r, "from", 0)
	at, err2 := moment("at", asked.Get("at"))
	if err := cmp.Or(err1, err2); err != nil {
		return nil, err
	}
	if p.At = at; asked.Get("after") != "" {
		if p.At, err1 = sliderTime(r); err1 != nil {
			return nil, err1
		}
	}
	id := asked.Get("id")
	if id == "" {
		return nil, fmt.Errorf("%w: name a workflow: ?id=…", query.ErrRequest)
	}
	var err error
	if p.Workflow, err = s.View.Rehydrate(r.Context(), id, query.RehydrateOptions{At: p.At, Limit: 10_000}); err != nil {
		return nil, err
	}
	p.show(from)
	return &page{Template: "workflow", Title: id, Section: "workflows", Live: id, Data: p}, nil
}

// sliderTime is the time that a slider was moved to.
func sliderTime(r *http.Request) (time.Time, error) {
	first, err := moment("first", r.URL.Query().Get("first"))
	if err != nil {
		return first, err
	}
	after, err := number(r, "after", 0)
	return first.Add(time.Duration(after) * time.Millisecond), err
}

// show fills in the page of items that begins with one, and what is drawn of them.
func (p *workflowPage) show(from int) {
	oldest := slices.Clone(p.Entities)
	slices.Reverse(oldest)
	p.Looks, p.From = looks, min(from, len(oldest))
	bytes, end := 0, p.From
	for ; end < len(oldest) && end-p.From < itemsShown && bytes < pageBytes; end++ {
		e := oldest[end]
		for _, text := range []string{e.Request, e.Result, e.Text, e.Error} {
			bytes += min(len(text), itemBytes)
		}
		p.Turns = append(p.Turns, newTurn(e))
	}
	if end < len(oldest) {
		p.Next = end
	}
	if p.Before = -1; p.From > 0 {
		p.Before = max(0, p.From-itemsShown)
	}
	p.Entities = oldest[p.From:end]
	p.draw()
	p.slide(oldest)
}

func newTurn(e query.Entity) turn {
	t := turn{Entity: e, Who: "event"}
	switch {
	case e.Kind == "message":
		t.Who = "assistant"
		if json.Unmarshal([]byte(e.Result), &t.Calls) == nil {
			t.Result = ""
		}
	case e.Capability != "":
		t.Who = "call"
	}
	return t
}

// ticksShown is how many marks the axis has.
const ticksShown = 5

// draw places the turns of the page in the time that they take together.
func (p *workflowPage) draw() {
	first, last := bounds(p.Entities)
	whole := last.Sub(first)
	if whole <= 0 {
		return
	}
	thousandths := func(d time.Duration) float64 { return math.Round(1e4*float64(d)/float64(whole)) / 10 }
	for i := range p.Turns {
		t := &p.Turns[i]
		if begin, end := ends(t.Entity); !begin.IsZero() {
			t.X = thousandths(begin.Sub(first))
			t.W = max(2, thousandths(end.Sub(begin)))
			t.X = min(t.X, 1000-t.W)
		}
	}
	for i := range ticksShown {
		part := whole * time.Duration(i) / (ticksShown - 1)
		p.Ticks = append(p.Ticks, tick{thousandths(part), part.Microseconds()})
	}
}

func (p *workflowPage) slide(all []query.Entity) {
	first, last := bounds(all)
	if !last.After(first) {
		return
	}
	p.Slider = &slider{First: first, Long: last.Sub(first).Milliseconds() + 1}
	p.Slider.Value = p.Slider.Long
	if !p.At.IsZero() {
		p.Slider.Value = min(p.Slider.Long, max(0, p.At.Sub(first).Milliseconds()))
	}
}

// bounds are the first and the last time of items, zero where none has one.
func bounds(entities []query.Entity) (first, last time.Time) {
	for _, e := range entities {
		begin, end := ends(e)
		if begin.IsZero() {
			continue
		}
		if first.IsZero() || begin.Before(first) {
			first = begin
		}
		if end.After(last) {
			last = end
		}
	}
	return first, last
}

// ends are when an item began and ended; one that tells only one of them has no length.
func ends(e query.Entity) (begin, end time.Time) {
	begin, end = e.StartedAt, e.EndedAt
	if begin.IsZero() {
		begin = end
	}
	if end.Before(begin) {
		end = begin
	}
	return begin, end
}
