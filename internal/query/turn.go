package query

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Speakers of turns, besides those that the kinds of other entities name, such as observation.
const (
	SpeakerUser      = "user"
	SpeakerAssistant = "assistant"
	SpeakerSystem    = "system"
	SpeakerCall      = "call" // of a tool or method, with its answer
)

// Turn is an entity as a conversation shows it.
type Turn struct {
	Entity
	Speaker   string  `json:"speaker"`             // user, assistant, system, call, or the entity's kind
	Arguments string  `json:"arguments,omitempty"` // of a call: JSON, without what carried it
	Answer    string  `json:"answer,omitempty"`    // of a call: what is worth reading of what answered it
	Asks      []Asked `json:"asks,omitempty"`      // calls that a message asks for and that are no turns of their own

	CarriedOut *CarriedOut `json:"carried_out,omitempty"` // of a call that another workflow carries out or times
}

// CarriedOut is what another workflow knows of a call.
type CarriedOut struct {
	EntityUUID string `json:"entity_uuid"`
	WorkflowID string `json:"workflow_id"`
	Status     string `json:"status"`
	LatencyUS  int64  `json:"latency_us,omitempty"`
	Answer     string `json:"answer,omitempty"`
	Error      string `json:"error,omitempty"`
}

// Asked is a call that a message asks for, as the message has it.
type Asked struct {
	ID        string `json:"id,omitempty"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

// At is when a turn began or, if only its end is known, ended.
func (t *Turn) At() time.Time { return began(t.Entity) }

// turns are entities as a conversation shows them, without those that have nothing to show. Of those that see one call it shows the one
// that counts.
func turns(entities []Entity) []Turn {
	own, there, shown := map[string]bool{}, map[string]bool{}, make([]Turn, 0, len(entities))
	for i := range entities {
		own[entities[i].IntentID], there[entities[i].EntityUUID] = true, true
	}
	for i := range entities {
		t := newTurn(entities[i])
		t.Asks = slices.DeleteFunc(t.Asks, func(call Asked) bool { return call.ID != "" && own[call.ID] })
		if !t.empty() && (t.CountedAs == "" || !there[t.CountedAs]) {
			shown = append(shown, t)
		}
	}
	return shown
}

// newTurn is an entity as a turn, with all calls that it asks for.
func newTurn(e Entity) Turn {
	t := Turn{Entity: e, Speaker: e.speaker()}
	switch t.Speaker {
	case SpeakerCall:
		t.Arguments, t.Answer = arguments(t.Request), t.answer()
	case SpeakerAssistant:
		t.Asks = t.asks()
	}
	return t
}

// empty tells whether a turn has nothing to show: what only opens or ends an exchange.
func (t *Turn) empty() bool {
	return t.Speaker != SpeakerCall && t.Text == "" && t.Reasoning == "" && t.Error == "" && len(t.Asks) == 0 && t.Status != statusOpen
}

// asks are the calls that a message asks for.
func (e *Entity) asks() (calls []Asked) {
	if !strings.HasPrefix(e.Result, "[") || json.Unmarshal([]byte(e.Result), &calls) != nil {
		return nil
	}
	return calls
}

func (e *Entity) speaker() string {
	switch e.Kind {
	case kindMessage:
		if e.Role != "" {
			return e.Role
		}
		return SpeakerAssistant
	case kindCall:
		return SpeakerCall
	}
	return e.Kind
}

// answer is the text of a call's answer or, where it has none, its JSON.
func (e *Entity) answer() string {
	switch {
	case e.Status == statusOpen:
		return ""
	case e.Text != "" && e.Text != e.Error && e.Text != e.named():
		return e.Text
	case e.Error != "":
		return ""
	}
	return member(e.Result, "result", "output")
}

// named is the text of a call while nothing that answered it has one: the tool and what it is asked.
func (e *Entity) named() string { return strings.TrimSpace(e.Capability + " " + e.Request) }

// argumentMembers are where the arguments of a call stand in what carried it, the innermost first.
var argumentMembers = [][]string{{"params", "arguments"}, {"arguments"}, {"parameters"}, {"payload", "parameters"}, {"args"}, {"input"}, {"params"}}

// arguments are those of a call, given the event that opened it.
func arguments(request string) string {
	for _, path := range argumentMembers {
		at := []byte(request)
		for _, name := range path {
			var members map[string]json.RawMessage
			if json.Unmarshal(at, &members) != nil {
				at = nil
				break
			}
			at = members[name]
		}
		if len(at) > 0 && at[0] == '{' {
			return string(at)
		}
	}
	return request
}

// member is that of the names which a JSON object has, else the object.
func member(object string, names ...string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(object), &members) == nil {
		for _, name := range names {
			if value := bytes.TrimSpace(members[name]); len(value) > 0 {
				return string(value)
			}
		}
	}
	return object
}
