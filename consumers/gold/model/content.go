package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/s2"
	"github.com/valyala/fastjson"

	"assay/consumers/bronze"
)

// Limits of what is kept of one entity's content. What lies beyond them, in the order of the stream, is cut off; traces
// and Bronze have it.
const (
	MaxText  = 1 << 20 // bytes of text; and of one payload
	MaxParts = 1024    // parts of a message

	bodyMax = 3 * MaxText // bytes of the record of a body: a kind, a payload and a text
)

// Body is what is kept of the event that opened an entity, or of the one that closed it.
type Body struct{ kind, Payload, Text string }

// NewBody returns what is kept of an event.
func NewBody(ev *Event) *Body { return &Body{ev.Kind, cutMarked(ev.Payload), cutMarked(ev.Text)} }

// packedBody is the first byte of the record of a body that is compressed. No other begins so: what comes first is the length of a kind,
// and no kind is that long.
const (
	packedBody = 0xFF
	packedFrom = 256 // bytes, from which on compressing pays
)

// Encode writes the record. A payload mostly has the text once more, and all of it goes through the state's log, so it is compressed.
func (b *Body) Encode() []byte {
	w := make(Encoder, 0, len(b.kind)+len(b.Payload)+len(b.Text)+16)
	w.string(b.kind)
	w.string(b.Payload)
	w.string(b.Text)
	if len(w) < packedFrom {
		return w
	}
	record := make([]byte, 1+s2.MaxEncodedLen(len(w)))
	record[0] = packedBody
	return record[:1+len(s2.Encode(record[1:], w))]
}

// decodeBody reads what Body.Encode wrote.
func decodeBody(record []byte) (b Body, err error) {
	if len(record) > 0 && record[0] == packedBody {
		n, err := s2.DecodedLen(record[1:])
		if err == nil && n > bodyMax {
			return b, fmt.Errorf("%w: a body of %d bytes, the limit is %d", ErrUnreadable, n, bodyMax)
		}
		if err == nil {
			record, err = s2.Decode(nil, record[1:])
		}
		if err != nil {
			return b, fmt.Errorf("%w: a body: %w", ErrUnreadable, err)
		}
	}
	d := Decoder{Rest: record}
	b = Body{d.string(), d.string(), d.string()}
	return b, d.End()
}

// Content is all that an entity says.
type Content struct {
	Request, Result Body
	Exchange        Body    // how its HTTP exchange ended
	parts           []*part // of a message, in order
	cutOff          int     // bytes of text beyond MaxText
}

// part is one part of a message, put together from its fragments.
type part struct {
	name      string // in the message: choice, content block, output item
	kind      bronze.FragmentType
	id, tool  string // of a tool call
	text      strings.Builder
	whole     string // replaces text
	replacing bool
}

func (p *part) String() string {
	if p.replacing {
		return p.whole
	}
	return p.text.String()
}

// assembly puts fragments together that come in the order of their places.
type assembly struct {
	parser      *fastjson.Parser
	waiting     runMerger
	parts       map[string]*part
	order       []*part
	latest      map[string]*part // tool call under a name that others have, too: the one that fragments without id belong to
	text, whole int              // bytes kept
	cutOff      int              // bytes not kept
}

// NewAssembly returns one without fragments.
func NewAssembly(parser *fastjson.Parser) *assembly {
	return &assembly{parser: parser, parts: map[string]*part{}}
}

// Take takes the parts that were put together.
func (c *Content) Take(text *assembly) { c.parts, c.cutOff = text.order, text.cutOff }

func (a *assembly) add(f *bronze.Fragment) {
	p := a.part(f)
	if p == nil {
		a.cutOff += len(f.Text)
		return
	}
	if p.id == "" {
		p.id = f.ID
	}
	if p.tool == "" {
		p.tool = f.Name
	}
	if f.Whole {
		a.whole -= len(p.whole)
		p.whole, p.replacing = Cut(f.Text, MaxText-a.whole), true
		a.whole += len(p.whole)
		a.cutOff += len(f.Text) - len(p.whole)
		return
	}
	piece := Cut(f.Text, MaxText-a.text)
	a.text += len(piece)
	a.cutOff += len(f.Text) - len(piece)
	p.text.WriteString(piece)
}

// part returns the part that a fragment belongs to, nil if there are too many. Reasoning and text of one choice are parts of
// their own. So are tool calls of one place with different ids: some servers tell them apart by nothing else. A fragment without
// id then goes on with the call that was met last.
func (a *assembly) part(f *bronze.Fragment) *part {
	place := string(f.Type) + "|" + f.Part
	name := place
	if f.Type == bronze.FragmentToolCall {
		last := a.latest[place]
		switch {
		case last == nil, f.ID == "", last.id == "", last.id == f.ID:
		default:
			name += "|" + f.ID
			last = a.parts[name]
		}
		if last != nil {
			a.keepLatest(place, last)
			return last
		}
	}
	p := a.parts[name]
	if p == nil {
		if len(a.order) == MaxParts {
			return nil
		}
		p = &part{name: f.Part, kind: f.Type}
		a.parts[name] = p
		a.order = append(a.order, p)
	}
	if f.Type == bronze.FragmentToolCall {
		a.keepLatest(place, p)
	}
	return p
}

func (a *assembly) keepLatest(place string, p *part) {
	if a.latest == nil {
		a.latest = map[string]*part{}
	}
	a.latest[place] = p
}

// Text is the entity's text: of a message what was said, of a call its answer or, while there is none, its request.
func (c *Content) Text() string {
	var said []string
	for _, p := range c.inOrder() {
		if text := p.String(); text != "" && p.speaks() {
			said = append(said, text)
		}
	}
	switch {
	case len(said) > 0 && c.cutOff > 0:
		return strings.Join(said, "\n\n") + cutMark(c.cutOff)
	case len(said) > 0:
		return strings.Join(said, "\n\n")
	case c.Result.Text != "":
		return c.Result.Text
	case c.Request.kind == "":
		return c.Exchange.Text
	default:
		return c.Request.Text
	}
}

// reasoning is what a message says of how it came about, apart from its text.
func (c *Content) reasoning() string {
	var thought []string
	for _, p := range c.parts {
		if text := p.String(); text != "" && p.kind == bronze.FragmentReasoning {
			thought = append(thought, text)
		}
	}
	return Cut(strings.Join(thought, "\n\n"), MaxText)
}

func (p *part) speaks() bool {
	return p.kind == bronze.FragmentText || p.kind == bronze.FragmentRefusal
}

// toolCall is a call that a message asks for.
type toolCall struct {
	ID        string `json:"id,omitempty"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // as the model wrote them: JSON if all went well
}

// resultText is the entity's result: of a message the tool calls that it asks for, or its choices if it has several; else the
// payload of its closing event, or how its HTTP exchange ended. finish is why the message, or its first choice, ended.
func (c *Content) resultText(finish string) string {
	var calls []toolCall
	for _, p := range c.parts {
		if p.kind == bronze.FragmentToolCall {
			calls = append(calls, p.toolCall())
		}
	}
	switch choices := c.choices(finish); {
	case len(choices) > 1:
		return encodeResult(choices)
	case len(calls) > 0:
		return encodeResult(calls)
	case c.Result.Payload != "":
		return c.Result.Payload
	default:
		return c.Exchange.Payload
	}
}

func encodeResult(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "" // strings always encode
	}
	return cutMarked(string(text))
}

// toolCall is the call that a part is. One without arguments has none, which is an empty object.
func (p *part) toolCall() toolCall { return toolCall{p.id, p.tool, cmp.Or(p.String(), "{}")} }

// cutMarked returns a text that is at most MaxText long, or its beginning and how much is missing.
func cutMarked(s string) string {
	if len(s) <= MaxText {
		return s
	}
	kept := Cut(s, MaxText)
	return kept + cutMark(len(s)-len(kept))
}

func cutMark(missing int) string { return fmt.Sprintf("\n[cut off here: %d bytes more]", missing) }

// Cut returns at most n bytes of s and no part of a character.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:max(n, 0)]
}

// choice is one of several answers that a model was asked for at once.
type choice struct {
	Choice       int        `json:"choice"`
	Text         string     `json:"text"`
	FinishReason string     `json:"finish_reason,omitempty"`
	ToolCalls    []toolCall `json:"tool_calls,omitempty"`
}

// several tells whether a message has more than one choice: each but the first says how it ended.
func (c *Content) several() bool {
	return slices.ContainsFunc(c.parts, func(p *part) bool { return p.kind == bronze.FragmentFinish })
}

// number is the choice that a part belongs to.
func (p *part) number() int {
	first, _, _ := strings.Cut(p.name, "/")
	n, _ := strconv.Atoi(first) // a name without a number is the first choice's
	return n
}

// inOrder returns the parts of a message: of several choices those of the first one first.
func (c *Content) inOrder() []*part {
	if !c.several() {
		return c.parts
	}
	ordered := slices.Clone(c.parts)
	slices.SortStableFunc(ordered, func(p, q *part) int { return cmp.Compare(p.number(), q.number()) })
	return ordered
}

// choices returns the choices of a message that has several, nil of any other. finish is why the first ended.
func (c *Content) choices(finish string) (all []choice) {
	if !c.several() {
		return nil
	}
	for _, p := range c.inOrder() {
		if len(all) == 0 || all[len(all)-1].Choice != p.number() {
			all = append(all, choice{Choice: p.number()})
		}
		if p.number() == 0 {
			all[0].FinishReason = finish
		}
		last := &all[len(all)-1]
		switch {
		case p.speaks():
			last.Text += p.String()
		case p.kind == bronze.FragmentFinish:
			last.FinishReason = p.String()
		case p.kind == bronze.FragmentToolCall:
			last.ToolCalls = append(last.ToolCalls, p.toolCall())
		}
	}
	return all
}
