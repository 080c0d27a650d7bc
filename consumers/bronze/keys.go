package bronze

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Key is a natural key: the components whose values, joined, are the name of an entity.
type Key struct {
	Components []string // of KeyComponents, in order
	Exact      bool     // keep the case; else it is folded
}

// Keys is the table of natural keys by kind. The zero value holds the built-in ones:
//
//	kind                               natural key
//	any, with an intent                intent_id | workflow_id
//	epistemic_promotion                event_id | workflow_id
//	rpc_…, with an intent              intent_id | workflow_id, exact: ids that differ by case are two
//	rpc_notification, rpc_progress     stream_id | workflow_id: the session
//	chat_message                       event_id | workflow_id
//	any                                event_id, exact: the event itself
//	any                                stream_id | position | digest, exact: the event itself; a part of a record other
//	                                   than the first has stream_id | position | part | digest
//
// An event gets the first key for its kind of which it has all components; its workflow counts as there even if it is
// empty. Events of model streams always have an intent, the stream's id.
type Keys struct {
	extra map[string][]Key
}

// KeyComponents are the fields of an event that a key may be made of.
var KeyComponents = slices.Sorted(maps.Keys(components))

var components = map[string]func(e *Event) string{
	"event_id":    func(e *Event) string { return e.EventID },
	"intent_id":   func(e *Event) string { return e.IntentID },
	"workflow_id": func(e *Event) string { return e.WorkflowID },
	"agent_id":    func(e *Event) string { return e.AgentID },
	"parent_id":   func(e *Event) string { return e.ParentID },
	"capability":  func(e *Event) string { return e.Capability },
	"provider":    func(e *Event) string { return e.Provider },
	"kind":        func(e *Event) string { return e.Kind },
	"source":      func(e *Event) string { return e.Source },
	"stream_id":   func(e *Event) string { return e.StreamID },
	"position":    func(e *Event) string { return strconv.FormatUint(e.Position, 10) },
	"part": func(e *Event) string { // the first has none
		if e.Part == 0 {
			return ""
		}
		return strconv.Itoa(e.Part)
	},
	"digest": func(e *Event) string { return hex.EncodeToString(e.Digest[:]) },
}

var (
	keyIntent  = Key{Components: []string{"intent_id", "workflow_id"}}
	keyRequest = Key{Components: []string{"intent_id", "workflow_id"}, Exact: true}
	keyOwn     = Key{Components: []string{"event_id", "workflow_id"}}
	keySession = Key{Components: []string{"stream_id", "workflow_id"}}
	keyEvent   = Key{Components: []string{"event_id"}, Exact: true}
	keyPart    = Key{Components: []string{"stream_id", "position", "part", "digest"}, Exact: true}
	keyPlace   = Key{Components: []string{"stream_id", "position", "digest"}, Exact: true}

	keysOfAny  = []Key{keyIntent, keyEvent, keyPart, keyPlace}
	keysOfKind = map[string][]Key{
		KindPromotion:       {keyIntent, keyOwn, keyPart, keyPlace},
		KindChatMessage:     {keyIntent, keyOwn, keyPart, keyPlace},
		KindRPCRequest:      {keyRequest, keyPart, keyPlace},
		KindRPCResponse:     {keyRequest, keyPart, keyPlace},
		KindRPCError:        {keyRequest, keyPart, keyPlace},
		KindRPCExchange:     {keyRequest, keyPart, keyPlace},
		KindRPCNotification: {keyRequest, keySession},
		KindRPCProgress:     {keyRequest, keySession},
	}
)

// NewKeys returns the built-in table with keys for more kinds, or other ones. A key given here comes before all others
// of its kind. Errors wrap ErrKey and name the kind.
func NewKeys(extra map[string]Key) (*Keys, error) {
	k := &Keys{extra: map[string][]Key{}}
	for kind, key := range extra {
		if err := key.validate(); err != nil {
			return nil, fmt.Errorf("%w: kind %q: %w", ErrKey, kind, err)
		}
		k.extra[kind] = append([]Key{key}, k.For(kind)...)
	}
	return k, nil
}

// For returns the keys of a kind, in the order in which they are tried.
func (k *Keys) For(kind string) []Key {
	if keys, ok := k.extra[kind]; ok {
		return keys
	}
	if keys, ok := keysOfKind[kind]; ok {
		return keys
	}
	return keysOfAny
}

// Components appends the values that make up the natural key of e's entity to dst. With exact they keep their case.
func (k *Keys) Components(dst []string, e *Event) (values []string, exact bool) {
	for _, key := range k.For(e.Kind) {
		if values, ok := key.values(dst, e); ok {
			return values, key.Exact
		}
	}
	// Only an event without a stream gets here, and where it stands is all that there is to know.
	values, _ = keyPlace.values(dst, e)
	return values, true
}

// AcrossWorkflows reports whether events of several workflows may belong to e's entity: its key lacks the workflow.
func (k *Keys) AcrossWorkflows(e *Event) bool {
	for _, key := range k.For(e.Kind) {
		if _, ok := key.values(nil, e); ok {
			return !slices.Contains(key.Components, "workflow_id") && !slices.Contains(key.Components, "position")
		}
	}
	return false
}

// keyComponentsMax bounds a key; the built-in ones have up to four.
const keyComponentsMax = 8

func (k Key) validate() error {
	if n := len(k.Components); n == 0 || n > keyComponentsMax {
		return fmt.Errorf("it has %d components; give 1 to %d", n, keyComponentsMax)
	}
	for i, name := range k.Components {
		if components[name] == nil {
			return fmt.Errorf("no component %q; use %s", name, strings.Join(KeyComponents, ", "))
		}
		if slices.Contains(k.Components[:i], name) {
			return fmt.Errorf("component %q is given twice", name)
		}
	}
	return nil
}

// values appends the values of the key's components. It is not ok if one other than the workflow is missing.
func (k Key) values(dst []string, e *Event) (values []string, ok bool) {
	ok = true
	for _, name := range k.Components {
		value := components[name](e)
		ok = ok && (value != "" || name == "workflow_id")
		dst = append(dst, value)
	}
	return dst, ok
}
