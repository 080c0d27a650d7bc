package pages

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"assay/internal/query"
)

// Limits of a page of a workflow, so that one is read and sent at once however much there is.
const (
	turnsShown = 100
	textMost   = 4_000   // bytes shown of one text
	textLeast  = 250     // of one text, where there is much on the page
	pageBytes  = 300_000 // of all texts of a page, escaped
)

// workflowPage is one workflow: what was said and done, oldest first.
type workflowPage struct {
	*query.Conversation
	Turns   []turn       `json:"-"`
	Strands []strand     `json:"-"` // the turns, those of sub-agents apart
	Link    workflowLink `json:"-"`
	At      time.Time    `json:"-"` // as it was then; zero: as it is
	Earlier string       `json:"-"` // link to the page before, "" if there is none
	Later   string       `json:"-"` // link to the page after
	Most    int          `json:"-"` // bytes shown of one text
	Slider  *slider      `json:"-"` // nil where it began and ended at once
	Ticks   []tick       `json:"-"` // of the timeline
}

// workflowLink makes links to other states of the page.
type workflowLink struct{ url *url.URL }

// turn is an item of a conversation with its place in the timeline, in thousandths.
type turn struct {
	query.Turn
	X, W float64
}

// tick is a mark on the axis of a timeline.
type tick struct {
	X     float64 // in thousandths
	After int64   // µs since its begin
}

// slider chooses a time between the begin and the end of a workflow, in milliseconds after the begin.
type slider struct {
	First time.Time
	Long  int64
	Value int64
}

func (s *site) workflow(r *http.Request) (*page, error) {
	p, err := s.readWorkflow(r)
	if err != nil {
		return nil, err
	}
	title := p.WorkflowID
	if p.Summary != nil && p.Summary.Title != "" {
		title = p.Summary.Title
	}
	made := &page{Template: "workflow", Title: firstLine(120, title), Section: "workflows", Data: p}
	if p.At.IsZero() && (p.Later == "" || p.Link.Has("from", "end")) {
		made.Live = p.WorkflowID
	}
	return made, nil
}

// readWorkflow reads the page that is asked for: from the begin on, or from the end back.
func (s *site) readWorkflow(r *http.Request) (*workflowPage, error) {
	asked := r.URL.Query()
	id := asked.Get("id")
	if id == "" {
		return nil, fmt.Errorf("%w: name a workflow: ?id=…", query.ErrRequest)
	}
	at, err := chosenTime(asked, s.Now())
	if err != nil {
		return nil, err
	}
	p := &workflowPage{Link: workflowLink{r.URL}, At: at}
	request := query.ConversationRequest{Limit: turnsShown, Cursor: asked.Get("cursor"), Backward: asked.Get("from") == "end", At: at}
	if p.Conversation, err = s.View.Conversation(r.Context(), id, request); err != nil {
		return nil, err
	}
	next := ""
	if p.Next != "" {
		next = p.Link.To("cursor", p.Next)
	}
	if p.Later = next; request.Backward {
		p.Earlier, p.Later = next, ""
		slices.Reverse(p.Conversation.Turns)
	}
	main := mainAgent(p.Conversation.Turns)
	if (request.Backward || request.Cursor != "") && p.Summary != nil && len(p.Summary.Agents) > 0 {
		if main, err = s.firstAgent(r.Context(), id, at); err != nil {
			return nil, err
		}
	}
	p.show(at, main)
	return p, nil
}

// turnsToAnswer is within how many turns the main agent is taken to answer.
const turnsToAnswer = 20

// firstAgent is the main agent of a workflow.
func (s *site) firstAgent(ctx context.Context, id string, at time.Time) (string, error) {
	begin, err := s.View.Conversation(ctx, id, query.ConversationRequest{Limit: turnsToAnswer, At: at})
	if err != nil {
		return "", err
	}
	return mainAgent(begin.Turns), nil
}

// show fills in how the turns are shown.
func (p *workflowPage) show(at time.Time, main string) {
	p.Turns = make([]turn, len(p.Conversation.Turns))
	for i, t := range p.Conversation.Turns {
		p.Turns[i] = turn{Turn: t}
	}
	p.Most = textMost
	for p.Most > textLeast && p.size() > pageBytes {
		p.Most /= 2
	}
	p.draw()
	p.Strands = strands(p.Turns, main)
	if p.Summary == nil || !p.Summary.LastAt.After(p.Summary.FirstAt) {
		return
	}
	p.Slider = &slider{First: p.Summary.FirstAt, Long: p.Summary.LastAt.Sub(p.Summary.FirstAt).Milliseconds() + 1}
	if p.Slider.Value = p.Slider.Long; !at.IsZero() {
		p.Slider.Value = min(p.Slider.Long, max(0, at.Sub(p.Slider.First).Milliseconds()))
	}
}

// size is how many bytes of texts are sent.
func (p *workflowPage) size() (bytes int) {
	for _, t := range p.Turns {
		for _, text := range []string{t.Text, t.Reasoning, t.Error, t.Arguments, t.Answer} {
			bytes += escaped(text, p.Most)
		}
		for _, call := range t.Asks {
			bytes += escaped(call.Arguments, p.Most)
		}
	}
	return bytes
}

// escaped is how many bytes the beginning of a text has in HTML.
func escaped(text string, most int) int {
	const more = len("&#34;") - 1 // of a character that is escaped
	text = text[:min(len(text), most)]
	special := 0
	for i := range len(text) {
		if strings.IndexByte("<>&\"'+", text[i]) >= 0 {
			special++
		}
	}
	return len(text) + more*special
}

// ticksShown is how many marks the axis has.
const ticksShown = 5

// draw places the turns of the page in the time that they take together.
func (p *workflowPage) draw() {
	first, last := bounds(p.Turns)
	whole := last.Sub(first)
	if whole <= 0 {
		return
	}
	thousandths := func(d time.Duration) float64 { return math.Round(1e4*float64(d)/float64(whole)) / 10 }
	const least = 2 // so that it is seen
	for i := range p.Turns {
		t := &p.Turns[i]
		if begin := t.At(); !begin.IsZero() {
			t.W = max(least, thousandths(t.end().Sub(begin)))
			t.X = min(thousandths(begin.Sub(first)), 1000-t.W)
		}
	}
	for i := range ticksShown {
		part := whole * time.Duration(i) / (ticksShown - 1)
		p.Ticks = append(p.Ticks, tick{thousandths(part), part.Microseconds()})
	}
}

// end is when a turn ended or, where nothing tells, began.
func (t *turn) end() time.Time {
	if t.EndedAt.Before(t.At()) {
		return t.At()
	}
	return t.EndedAt
}

// bounds are the first and the last time of turns, zero where none has one.
func bounds(turns []turn) (first, last time.Time) {
	for i := range turns {
		begin := turns[i].At()
		if begin.IsZero() {
			continue
		}
		if first.IsZero() || begin.Before(first) {
			first = begin
		}
		if end := turns[i].end(); end.After(last) {
			last = end
		}
	}
	return first, last
}

// chosenTime is the time that is asked for, by name or by where the slider stands; zero for now.
func chosenTime(asked url.Values, now time.Time) (time.Time, error) {
	if !asked.Has("after") {
		return timeOf(asked, "at", now)
	}
	first, err := timeOf(asked, "first", now)
	if err != nil {
		return first, err
	}
	after, err := time.ParseDuration(asked.Get("after") + "ms")
	if err != nil {
		return first, fmt.Errorf("%w: after must be milliseconds after the begin, not %q", query.ErrRequest, asked.Get("after"))
	}
	return first.Add(after), nil
}

// Has reports whether the page was asked for with a value.
func (l workflowLink) Has(name, value string) bool { return l.url.Query().Get(name) == value }

// To is a link to the page with another value of one parameter.
func (l workflowLink) To(name, value string) string { return with(l.url, name, value) }

// From is a link to the first or, for "end", the last page.
func (l workflowLink) From(end string) string {
	values := l.url.Query()
	for _, name := range []string{"cursor", "from"} {
		values.Del(name)
	}
	u := *l.url
	u.RawQuery = values.Encode()
	return with(&u, "from", end)
}

// Now is a link to the page as things are.
func (l workflowLink) Now() string {
	values := l.url.Query()
	for _, name := range []string{"at", "after", "first", "cursor"} {
		values.Del(name)
	}
	return l.url.Path + "?" + values.Encode()
}
