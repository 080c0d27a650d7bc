package model

import (
	"bytes"
	"slices"

	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/kernels"
)

// One call of a tool may be seen from several sides, in workflows of their own: a model asks for it, a request of MCP carries it
// out, a span times it. Each is an entity. They belong together by name: the id of the call, which the model has given it and
// the others repeat, or the span, which the request names as its cause. Requests count in metrics and graph, else spans, else what a
// model asks for; the others say what counts in their place (EntityState.CountedAs). Of one side all count: a call may make several
// requests, and a recording that is played again gives its ids to calls that were made again.
//
// In a log with several partitions what requests and spans say of their names is told to all; it is little. So who counts does not depend
// on where they are.

// KeyLink is the first byte of the keys that say who sees a call.
const KeyLink = 'b' // name of a call, side, entity → its workflow, normalised

// LinkPrefixLen is the length in bytes of the name that a key of a link begins with.
const LinkPrefixLen = 1 + 16

// LinkKey is the key that says that an entity sees a call.
func LinkKey(name uuid.UUID, side bronze.Side, entity uuid.UUID) []byte {
	return append(append(Key(KeyLink, name), byte(side)), entity[:]...)
}

// LinkSide reads the side from a key of a link.
func LinkSide(key []byte) bronze.Side { return bronze.Side(key[LinkPrefixLen]) }

// link is what an entity says of the call that it sees.
type link struct {
	side  bronze.Side // least
	cause string      // of a request of MCP: the call that it carries out, or the span that made it; least
	span  uuid.UUID   // that times it; least
}

func (l *link) keep(ev *Event) {
	side := bronze.SideOf(ev.Kind, ev.CapabilityKind, ev.source, ev.Intent, ev.Parent)
	if side == bronze.SideNone {
		return
	}
	if l.side == bronze.SideNone || side < l.side {
		l.side = side
	}
	switch {
	case side == bronze.SideCarries:
		keepLeast(&l.cause, ev.Parent)
	case side == bronze.SideTimes && ev.OwnID && ev.Kind == bronze.KindToolResult: // whose id is the span's
		if l.span == uuid.Nil || bytes.Compare(ev.ID[:], l.span[:]) < 0 {
			l.span = ev.ID
		}
	}
}

// Links returns the keys of the links of an entity: under the id of its call, under its span, or under what it names as its cause. What
// is linked by a span must be of the same tool, since spans of other work make requests too.
func (e *EntityState) Links(namespace, entity uuid.UUID) (keys [][]byte) {
	if e == nil || e.link.side == bronze.SideNone {
		return nil
	}
	add := func(name uuid.UUID) { keys = append(keys, LinkKey(name, e.link.side, entity)) }
	call, span := e.intent, e.link.span
	if e.link.side == bronze.SideCarries {
		call, span = e.link.cause, uuid.Nil
		if bronze.IsSpan(call) {
			span = kernels.UUID(namespace, call)
		}
	}
	if bronze.NamesCall(call) {
		add(kernels.UUID(namespace, kernels.JoinStrings("call", call)))
	}
	if span != uuid.Nil {
		add(kernels.UUID(span, e.capability.Value))
	}
	return keys
}

// LinkOrder orders the links of one call: the least counts.
func LinkOrder(a, b []byte) int { return bytes.Compare(a[LinkPrefixLen:], b[LinkPrefixLen:]) }

// Yields tells whether the entity of a key leaves it to that of the first link of the call to count.
func Yields(key, first []byte) bool { return LinkSide(first) < LinkSide(key) }

// NormalWorkflow is the entity's workflow as ids have it.
func (e *EntityState) NormalWorkflow() string { return kernels.NormaliseString(e.Workflow, false) }

// CountAs has the entity counted as another one, or for itself where that is uuid.Nil. workflow is that one's, normalised. It reports
// whether that is new.
func (e *EntityState) CountAs(entity uuid.UUID, workflow string) (changed bool) {
	here := entity != uuid.Nil && workflow == e.NormalWorkflow()
	changed = e.CountedAs != entity || e.countedHere != here
	e.CountedAs, e.countedHere = entity, here
	return changed
}

// SameLinks tells whether two entities' links are the same.
func SameLinks(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }
