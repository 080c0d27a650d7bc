package model

import (
	"cmp"
	"strings"

	"github.com/google/uuid"

	"assay/consumers/bronze"
)

// A tool call that an answer asks for is an entity of its own. Its arguments come in fragments that name no call, only their place
// in the message, so they are kept once, there, and the text of the event that begins the call says where. When the message
// changes, so does the call.

// ArgumentsRef is where the arguments of a tool call are.
type ArgumentsRef struct {
	Message  uuid.UUID // its entity
	Part, ID string
}

// ToolCallFragment is what fragments contain that are about a tool call.
const ToolCallFragment = `"type":"` + string(bronze.FragmentToolCall) + `"`

// Arguments returns what a message, which may be unknown, has of the arguments.
func (a *ArgumentsRef) Arguments(message *EntityRecord) string {
	if message == nil {
		return "{}"
	}
	for _, p := range message.Content.parts {
		if p.kind == bronze.FragmentToolCall && p.name == a.Part && p.id == a.ID {
			return cmp.Or(p.String(), "{}")
		}
	}
	return "{}"
}

// NameCall makes a text of what a tool call asks for: the tool and the arguments.
func (c *Content) NameCall(of *EntityState) {
	if c.Request.kind == bronze.KindToolCall || c.Request.kind == bronze.KindToolCallEcho {
		c.Request.Text = strings.TrimSpace(of.capability.Value + " " + c.Request.Payload)
	}
}

// ArgumentsElsewhere tells where the arguments of a tool call are, nil if the call has them.
func (c *Content) ArgumentsElsewhere() (*ArgumentsRef, error) {
	if c.Request.kind != bronze.KindToolCall || c.Request.Payload != "" || c.Request.Text == "" {
		return nil, nil
	}
	return DecodeArgumentsRef([]byte(c.Request.Text))
}

// ArgumentsKey is the key that says which call's arguments a message has.
func ArgumentsKey(message, call uuid.UUID) []byte { return append(Key(KeyAsked, message), call[:]...) }

// Encode writes the record.
func (a *ArgumentsRef) Encode() []byte {
	w := make(Encoder, 0, 64)
	w.ID(a.Message)
	w.string(a.Part)
	w.string(a.ID)
	return w
}

// DecodeArgumentsRef reads what Encode wrote.
func DecodeArgumentsRef(record []byte) (*ArgumentsRef, error) {
	d := Decoder{Rest: record}
	a := &ArgumentsRef{d.ID(), d.string(), d.string()}
	return a, d.End()
}
