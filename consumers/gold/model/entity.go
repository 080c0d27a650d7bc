package model

import (
	"fmt"
	"math"

	"github.com/google/uuid"

	"assay/consumers/bronze"
)

// EntityState is the state of an entity: a join-semilattice over its events. Every field is a join (least, greatest, first
// or last by stamp, or), but for events and bytes, which are sums over distinct events.
type EntityState struct {
	Ordinal                     uint64 // where its content is; tells nothing but when the entity was first met
	kind                        string // least by rank
	Workflow, intent, stream    string // least; they differ only in what the identity normalises away
	firstPosition, lastPosition uint64
	firstPart                   uint32 // of the record at firstPosition
	Events, bytes               int64
	inputTokens, outputTokens   int64     // greatest, since usage is reported cumulatively; -1 if never
	cachedTokens                int64     // of the input, greatest
	reasoningTokens             int64     // of the output, greatest
	written, hour               int64     // of the input, written to a cache, and of these for an hour, greatest
	cost                        float64   // in US dollars, greatest; -1 if never told
	price                       int64     // by the table of prices, in billionths of a US dollar; -1 if it has none
	agent, capability, provider register  // first
	role, capabilityKind        register  // first
	Title                       register  // of the workflow, last
	finish                      register  // last
	reason                      reason    // greatest
	Opened                      bool      // some event opened or continued it
	streamed                    bool      // some event continued a message
	Solicited                   bool      // what asked for it is known
	Echo                        bool      // it is what a request repeats of an answer
	Hidden                      bool      // the answer itself is known: see fold/echoes.go
	requests                    int64     // that a session made under one id
	outcome                     outcome   // greatest
	startTS, startCaptured      int64     // least over the events that do not close it
	endTS                       int64     // greatest over those that do; ageless if none has one
	request                     opening   // first of those that open it
	closing                     closing   // greatest
	answer                      closing   // greatest of those that are no transport's
	exchange                    Stamp     // last that says how its HTTP exchange ended; the zero stamp if none
	link                        link      // what it says of the call that it sees: see link.go
	CountedAs                   uuid.UUID // the entity that counts where several see one call; uuid.Nil if it is this one
	countedHere                 bool      // that one is of the same workflow
	RowsAtFirst                 uint64    // rows that the tables may have from the group that first brought it, episodes included: see project/held.go
}

// NewEntityState returns the state of an entity without events: the least of all.
func NewEntityState(ordinal uint64) *EntityState {
	return &EntityState{
		Ordinal: ordinal, firstPosition: math.MaxUint64, inputTokens: -1, outputTokens: -1, cachedTokens: -1, reasoningTokens: -1, written: -1, hour: -1, cost: -1, price: unpriced,
		startTS: Never, startCaptured: Never, endTS: Ageless,
	}
}

// changes tells which bodies of an entity an event becomes.
type changes struct{ Request, Result, Exchange bool }

// Fold joins a new event to the state. It must be called once per event.
func (e *EntityState) Fold(ev *Event) changes {
	at := ev.Stamp()
	if kind := kindOf(ev.Kind); e.kind == "" || rankKind(kind, e.kind) < 0 {
		e.kind = kind
	}
	keepLeast(&e.Workflow, ev.Workflow)
	keepLeast(&e.intent, ev.Intent)
	e.agent.keepFirst(at, ev.Agent)
	e.capability.keepFirst(at, ev.Capability)
	e.keepProvider(at, ev.Provider)
	e.role.keepFirst(at, ev.Role)
	e.capabilityKind.keepFirst(at, ev.CapabilityKind)
	e.finish.keepLast(at, ev.Finish)
	e.Title.keepLast(at, ev.Title)
	e.inputTokens = max(e.inputTokens, ev.InputTokens)
	e.outputTokens = max(e.outputTokens, ev.OutputTokens)
	e.cachedTokens = max(e.cachedTokens, ev.CachedTokens)
	e.reasoningTokens = max(e.reasoningTokens, ev.ReasoningTokens)
	e.written, e.hour = max(e.written, ev.WrittenTokens), max(e.hour, ev.HourTokens)
	e.cost = max(e.cost, ev.Cost)
	e.Events++
	e.bytes += ev.Bytes
	e.Solicited = e.Solicited || ev.Kind == bronze.KindModelRequest
	e.Echo = e.Echo || echoes(ev)
	if ev.Kind == bronze.KindRPCRequest {
		e.requests++
	}
	e.link.keep(ev)
	return e.joinEnds(ev, at)
}

// joinEnds joins what an event says of beginning and end.
func (e *EntityState) joinEnds(ev *Event, at Stamp) (changed changes) {
	result := OutcomeOf(ev)
	e.outcome = max(e.outcome, result)
	e.reason.keep(result, at, ev.Failure)
	if continues(ev) {
		e.Opened = true
		e.streamed = e.streamed || ev.Phase == bronze.PhaseDelta && kindOf(ev.Kind) == KindMessage
	} else {
		c := closing{result, at, ev.Captured}
		if e.closing.before(c) {
			e.closing = c
		}
		if answers(ev) && e.answer.before(c) {
			e.answer, changed.Result = c, true
		}
	}
	if o := (opening{ev.Kind == bronze.KindToolCallEcho, at}); asks(ev) && !e.request.before(o) {
		e.request, changed.Request = o, true
	}
	if ev.Kind == bronze.KindExchangeEnd && (e.exchange == Stamp{} || at.Compare(e.exchange) > 0) {
		e.exchange, changed.Exchange = at, true
	}
	switch {
	case result != unsettled && ev.TS != Never:
		e.endTS = max(e.endTS, ev.TS)
	case result == unsettled && begins(ev):
		e.startTS = min(e.startTS, ev.TS)
	}
	e.MergeDuplicate(ev)
	return changed
}

// keepProvider prefers the first, but for one that speaks the format which all others speak too.
func (e *EntityState) keepProvider(at Stamp, provider string) {
	known, vague := e.provider.Value != "", e.provider.Value == bronze.ProviderOpenAI
	switch {
	case known && vague && provider != "" && provider != bronze.ProviderOpenAI:
		e.provider = register{at, provider}
	case known && !vague && provider == bronze.ProviderOpenAI:
	default:
		e.provider.keepFirst(at, provider)
	}
}

// MergeDuplicate joins what may differ between two captures of one event: when and where. It may be called any number of times.
func (e *EntityState) MergeDuplicate(ev *Event) (changed bool) {
	before := *e
	keepLeast(&e.stream, ev.Stream)
	if ev.Position < e.firstPosition || ev.Position == e.firstPosition && ev.Part < e.firstPart {
		e.firstPosition, e.firstPart = ev.Position, ev.Part
	}
	e.lastPosition = max(e.lastPosition, ev.Position)
	if OutcomeOf(ev) == unsettled && begins(ev) {
		e.startCaptured = min(e.startCaptured, ev.Captured)
	}
	if e.closing.at.ID == ev.ID {
		e.closing.captured = min(e.closing.captured, ev.Captured)
	}
	if e.answer.at.ID == ev.ID {
		e.answer.captured = min(e.answer.captured, ev.Captured)
	}
	return *e != before
}

func keepLeast(s *string, t string) {
	if t != "" && (*s == "" || t < *s) {
		*s = t
	}
}

// status is open while an entity that was opened has not ended; an entity that was never opened is as it should be. A message
// that came in pieces must say that it is complete: it broke off if only its transport says so.
func (e *EntityState) status() string {
	switch {
	case e.outcome == cancelled, e.outcome == left:
		return string(bronze.StatusCancelled)
	case e.outcome == failed, e.outcome == broken, e.outcome == complete && e.streamed:
		return string(bronze.StatusError)
	case e.outcome == succeeded, e.outcome == complete, !e.Opened:
		return string(bronze.StatusOK)
	default:
		return statusOpen
	}
}

// failed tells whether the entity ended with an error.
func (e *EntityState) failed() bool { return e.status() == string(bronze.StatusError) }

// explain is what is known of the reason for which the entity ended badly. What was told of an end that another outcome overrules
// is none.
func (e *EntityState) explain() string {
	switch {
	case e.requests > 1:
		return fmt.Sprintf("%d requests of the session have this id, so what was answered to each is not known", e.requests)
	case e.reason.Value != "" && (e.reason.outcome == e.outcome || e.reason.outcome == unsettled):
		return e.reason.Value
	case e.outcome == complete && e.streamed:
		return "the answer ended without saying that it is complete"
	default:
		return ""
	}
}

// Failure is why the entity failed, as its events tell it; "" if it did not, or none says why.
func (e *EntityState) Failure() string {
	if !e.failed() || e.requests > 1 || e.reason.outcome != e.outcome && e.reason.outcome != unsettled {
		return ""
	}
	return e.reason.Value
}

// ShownKind is the kind by which the entity is shown.
func (e *EntityState) ShownKind() string {
	if e.Hidden {
		return KindEcho
	}
	return e.kind
}

// HasEnded tells whether the entity has ended. More may still come.
func (e *EntityState) HasEnded() bool { return e.outcome != unsettled }

// started is when the entity began or, where only its end is known, when it ended.
func (e *EntityState) started() int64 {
	switch {
	case e.startTS != Never:
		return e.startTS
	case e.startCaptured != Never:
		return e.startCaptured
	default:
		return e.ended()
	}
}

// Clocks by which an entity's times are told.
const (
	ClockOwn     = "own"     // the events'
	ClockCapture = "capture" // that of whoever captured them, for one of the times at least
)

// clock says by which clock started and ended are told.
func (e *EntityState) clock() string {
	startOwn := e.startTS != Never || e.startCaptured == Never
	endOwn := !e.HasEnded() || e.endTS != Ageless
	if startOwn && endOwn {
		return ClockOwn
	}
	return ClockCapture
}

// ended is when the entity ended, never if it has not.
func (e *EntityState) ended() int64 {
	switch {
	case !e.HasEnded():
		return Never
	case e.endTS != Ageless:
		return e.endTS
	default:
		return e.closing.captured
	}
}

// latency is the time in microseconds from start to end by one clock: the events' own, else capture's. It is -1 if
// unknown, or if the clock ran backwards.
func (e *EntityState) latency() int64 {
	from, to := e.startCaptured, e.closing.captured
	if e.startTS != Never && e.endTS != Ageless {
		from, to = e.startTS, e.endTS
	}
	if !e.HasEnded() || from == Never || to < from {
		return -1
	}
	return to - from
}

// Encode writes the record.
func (e *EntityState) Encode() []byte {
	w := make(Encoder, 0, 256)
	w.string(e.kind)
	w.string(e.Workflow)
	w.string(e.intent)
	w.string(e.stream)
	w.Uint(e.firstPosition)
	w.Uint(e.lastPosition)
	w.Uint(uint64(e.firstPart))
	w.int(e.Events)
	w.int(e.bytes)
	w.int(e.inputTokens)
	w.int(e.outputTokens)
	w.int(e.cachedTokens)
	w.int(e.reasoningTokens)
	w.int(e.written)
	w.int(e.hour)
	w.real(e.cost)
	w.int(e.price)
	w.register(e.agent)
	w.register(e.capability)
	w.register(e.provider)
	w.register(e.role)
	w.register(e.Title)
	w.register(e.finish)
	w.register(e.capabilityKind)
	w.byte(byte(e.reason.outcome))
	w.register(e.reason.register)
	for _, flag := range []bool{e.Opened, e.streamed, e.Solicited, e.Echo, e.Hidden} {
		w.bool(flag)
	}
	w.int(e.requests)
	w.byte(byte(e.outcome))
	w.int(e.startTS)
	w.int(e.startCaptured)
	w.int(e.endTS)
	w.bool(e.request.echo)
	w.stamp(e.request.at)
	w.closing(e.closing)
	w.closing(e.answer)
	w.stamp(e.exchange)
	w.byte(byte(e.link.side))
	if e.link.side != bronze.SideNone {
		w.string(e.link.cause)
		w.ID(e.link.span)
		w.ID(e.CountedAs)
		w.bool(e.countedHere)
	}
	w.Uint(e.RowsAtFirst)
	return w
}

// DecodeEntity reads what Encode wrote.
func DecodeEntity(record []byte) (*EntityState, error) {
	d := Decoder{Rest: record}
	e := &EntityState{
		kind: d.string(), Workflow: d.string(), intent: d.string(), stream: d.string(),
		firstPosition: d.Uint(), lastPosition: d.Uint(), firstPart: uint32(d.Uint()), Events: d.Int(), bytes: d.Int(),
		inputTokens: d.Int(), outputTokens: d.Int(), cachedTokens: d.Int(), reasoningTokens: d.Int(), written: d.Int(), hour: d.Int(), cost: d.real(), price: d.Int(),
		agent: d.register(), capability: d.register(), provider: d.register(), role: d.register(), Title: d.register(), finish: d.register(),
		capabilityKind: d.register(), reason: reason{outcome(d.byte()), d.register()},
		Opened: d.bool(), streamed: d.bool(), Solicited: d.bool(), Echo: d.bool(), Hidden: d.bool(), requests: d.Int(),
		outcome: outcome(d.byte()), startTS: d.Int(), startCaptured: d.Int(), endTS: d.Int(),
		request: opening{d.bool(), d.stamp()}, closing: d.closing(), answer: d.closing(), exchange: d.stamp(),
	}
	if e.link.side = bronze.Side(d.byte()); e.link.side != bronze.SideNone {
		e.link.cause, e.link.span, e.CountedAs, e.countedHere = d.string(), d.ID(), d.ID(), d.bool()
	}
	e.RowsAtFirst = d.Uint()
	return e, d.End()
}
