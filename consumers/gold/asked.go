package gold

import (
	"cmp"
	"strings"

	"github.com/google/uuid"
	"github.com/valyala/fastjson"

	"assay/consumers/bronze"
)

// A tool call that an answer asks for is an entity of its own. Its arguments come in pieces that name no call, only their place
// in the message, so they are kept once, there, and the text of the event that begins the call says where. When the message
// changes, so does the call.

// asking is where the arguments of a tool call are.
type asking struct {
	message  uuid.UUID // its entity
	part, id string
}

// fragmentOfCall is what the fragments of a piece contain that is about a tool call.
const fragmentOfCall = `"type":"` + string(bronze.FragmentToolCall) + `"`

// newAsking returns where the arguments of the call are that an event begins, nil if it has them.
func newAsking(f *folding, ev *event) *asking {
	if ev.kind != bronze.KindToolCall || ev.payload != "" || ev.parent == "" {
		return nil
	}
	fragment, err := fastjson.Parse(ev.fragments)
	if err != nil {
		return nil // it does not say where
	}
	text := func(member string) string { return string(fragment.GetStringBytes("0", member)) }
	return &asking{f.intended(ev.parent, ev.workflow, false), text("part"), text("id")}
}

// arguments returns what a message, which may be unknown, has of the arguments.
func (a *asking) arguments(message *whole) string {
	if message == nil {
		return "{}"
	}
	for _, p := range message.content.parts {
		if p.kind == bronze.FragmentToolCall && p.name == a.part && p.id == a.id {
			return cmp.Or(p.String(), "{}")
		}
	}
	return "{}"
}

// nameCall makes a text of what a tool call asks for: the tool and the arguments.
func (c *content) nameCall(of *entity) {
	if c.request.kind == bronze.KindToolCall || c.request.kind == bronze.KindToolCallEcho {
		c.request.text = strings.TrimSpace(of.capability.value + " " + c.request.payload)
	}
}

func askedKey(message, call uuid.UUID) []byte { return append(key(keyAsked, message), call[:]...) }

// markAsked takes up the calls whose arguments change with the group's messages.
func (f *folding) markAsked() error {
	for _, id := range f.order {
		e := f.entities[id]
		if !e.asks || e.fresh {
			continue
		}
		err := scan(f.g.state.db, key(keyAsked, id), func(k, _ []byte) (bool, error) {
			call := markedID(k)
			known, err := loadEntity(f.seeker, call)
			if err != nil || known == nil {
				return err == nil, err
			}
			touched, err := f.entity(call)
			if err == nil {
				touched.changed = true
			}
			return err == nil, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *asking) encode() []byte {
	w := make(encoder, 0, 64)
	w.id(a.message)
	w.string(a.part)
	w.string(a.id)
	return w
}

func decodeAsking(record []byte) (*asking, error) {
	d := decoder{rest: record}
	a := &asking{d.id(), d.string(), d.string()}
	return a, d.end()
}
