package gold

import (
	"encoding/json"
	"strings"

	"github.com/valyala/fastjson"

	"assay/consumers/bronze"
)

// Limits of what is kept of one entity's content. What lies beyond them, in the order of the stream, is cut off; traces
// and Bronze have it.
const (
	MaxText  = 1 << 20 // bytes of text; and of one payload
	MaxParts = 1024    // parts of a message
)

// body is what is kept of the event that opened an entity, or of the one that closed it.
type body struct{ kind, payload, text string }

func newBody(ev *event) *body { return &body{ev.kind, cut(ev.payload, MaxText), cut(ev.text, MaxText)} }

func (b *body) encode() []byte {
	w := make(encoder, 0, len(b.kind)+len(b.payload)+len(b.text)+16)
	w.string(b.kind)
	w.string(b.payload)
	w.string(b.text)
	return w
}

func (d *decoder) body() body { return body{d.string(), d.string(), d.string()} }

// content is all that an entity says.
type content struct {
	request, result body
	parts           []*part // of a message, in order
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
	parser        *fastjson.Parser
	waiting       pieces
	parts         map[string]*part
	order         []*part
	pieces, whole int // bytes kept
}

func (a *assembly) add(f *bronze.Fragment) {
	name := string(f.Type) + "|" + f.Part // reasoning and text of one choice are parts of their own
	p := a.parts[name]
	if p == nil {
		if len(a.order) == MaxParts {
			return
		}
		p = &part{name: f.Part, kind: f.Type}
		a.parts[name] = p
		a.order = append(a.order, p)
	}
	if p.id == "" {
		p.id = f.ID
	}
	if p.tool == "" {
		p.tool = f.Name
	}
	if f.Whole {
		a.whole -= len(p.whole)
		p.whole, p.replacing = cut(f.Text, MaxText-a.whole), true
		a.whole += len(p.whole)
		return
	}
	piece := cut(f.Text, MaxText-a.pieces)
	a.pieces += len(piece)
	p.text.WriteString(piece)
}

// text is the entity's text: of a message what was said, of a call its answer or, while there is none, its request.
func (c *content) text() string {
	var said []string
	for _, p := range c.parts {
		if text := p.String(); text != "" && p.speaks() {
			said = append(said, text)
		}
	}
	switch {
	case len(said) > 0:
		return cut(strings.Join(said, "\n\n"), MaxText)
	case c.result.text != "":
		return c.result.text
	default:
		return c.request.text
	}
}

// reasoning is what a message says of how it came about, apart from its text.
func (c *content) reasoning() string {
	var thought []string
	for _, p := range c.parts {
		if text := p.String(); text != "" && p.kind == bronze.FragmentReasoning {
			thought = append(thought, text)
		}
	}
	return cut(strings.Join(thought, "\n\n"), MaxText)
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

// resultText is the entity's result: the payload of its closing event or, of a message, the tool calls that it asks for.
func (c *content) resultText() string {
	var calls []toolCall
	for _, p := range c.parts {
		if p.kind == bronze.FragmentToolCall {
			calls = append(calls, toolCall{p.id, p.tool, p.String()})
		}
	}
	if len(calls) == 0 {
		return c.result.payload
	}
	text, err := json.Marshal(calls)
	if err != nil {
		return "" // strings always encode
	}
	return cut(string(text), MaxText)
}

// cut returns at most n bytes of s and no part of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:max(n, 0)]
}
