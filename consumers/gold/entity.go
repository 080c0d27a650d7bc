package gold

import (
	"cmp"
	"math"
	"strings"

	"assay/consumers/bronze"
)

// Kinds of entities. An entity of none of these has the kind of its events.
const (
	KindMessage = "message" // what a model said in one stream
	KindCall    = "call"    // a request and its answer
	KindSession = "session" // notifications of one session
)

// entity is the state of an entity: a join-semilattice over its events. Every field is a join (least, greatest, first
// or last by stamp, or), but for events and bytes, which are sums over distinct events.
type entity struct {
	ordinal                     uint64 // where its content is; tells nothing but when the entity was first met
	kind                        string // least by rank
	workflow, intent, stream    string // least; they differ only in what the identity normalises away
	firstPosition, lastPosition uint64
	firstPart                   uint32 // of the record at firstPosition
	events, bytes               int64
	inputTokens, outputTokens   int64    // greatest, since usage is reported cumulatively; -1 if never
	cachedTokens                int64    // of the input, greatest
	reasoningTokens             int64    // of the output, greatest
	cost                        float64  // in US dollars, greatest; -1 if never told
	agent, capability, provider register // first
	role                        register // first
	title                       register // of the workflow, last
	finish, failure             register // last
	opened                      bool     // some event opened or continued it
	outcome                     outcome  // greatest
	startTS, startCaptured      int64    // least over the events that do not close it
	request                     stamp    // first of those that open it; the zero stamp if none
	closing                     closing  // greatest
	rows                        uint64   // 1 and its episodes, if rows of it were held when it was first met: see held.go; 0 if not
}

// statusOpen is the status of an entity that was opened and has not ended.
const statusOpen = "open"

// outcome is how an entity ended, in order of precedence: an error stays one, whatever was reported besides.
type outcome byte

const (
	unsettled outcome = iota
	succeeded
	cancelled
	failed
)

// closing is the event that decides when an entity ended and with what result: the last that closes it or, while there
// is none, the last that neither opens nor continues it. Of the same event the earliest capture counts.
type closing struct {
	closes   bool
	at       stamp
	ts       int64 // never if it has none
	captured int64
}

func newEntity(ordinal uint64) *entity {
	return &entity{
		ordinal: ordinal, firstPosition: math.MaxUint64, inputTokens: -1, outputTokens: -1, cachedTokens: -1, reasoningTokens: -1, cost: -1,
		startTS: never, startCaptured: never,
	}
}

// changes tells which bodies of an entity an event becomes.
type changes struct{ request, result bool }

// fold joins a new event to the state. It must be called once per event.
func (e *entity) fold(ev *event) changes {
	at := ev.stamp()
	if kind := kindOf(ev.kind); e.kind == "" || rankKind(kind, e.kind) < 0 {
		e.kind = kind
	}
	keepLeast(&e.workflow, ev.workflow)
	keepLeast(&e.intent, ev.intent)
	e.agent.keepFirst(at, ev.agent)
	e.capability.keepFirst(at, ev.capability)
	e.provider.keepFirst(at, ev.provider)
	e.role.keepFirst(at, ev.role)
	e.finish.keepLast(at, ev.finish)
	e.failure.keepLast(at, ev.failure)
	e.title.keepLast(at, ev.title)
	e.inputTokens = max(e.inputTokens, ev.inputTokens)
	e.outputTokens = max(e.outputTokens, ev.outputTokens)
	e.cachedTokens = max(e.cachedTokens, ev.cachedTokens)
	e.reasoningTokens = max(e.reasoningTokens, ev.reasoningTokens)
	e.cost = max(e.cost, ev.cost)
	e.outcome = max(e.outcome, outcomeOf(ev))
	e.events++
	e.bytes += ev.bytes

	var changed changes
	if continues(ev) {
		e.opened = true
	} else if c := (closing{outcomeOf(ev) != unsettled, at, ev.ts, ev.captured}); e.closing.before(c) {
		e.closing = c
		changed.result = true
	}
	if ev.phase == bronze.PhaseStart && (e.request == stamp{} || at.compare(e.request) < 0) {
		e.request = at
		changed.request = true
	}
	if outcomeOf(ev) == unsettled {
		e.startTS = min(e.startTS, ev.ts)
	}
	e.meet(ev)
	return changed
}

// meet joins what may differ between two captures of one event: when and where. It may be called any number of times.
func (e *entity) meet(ev *event) (changed bool) {
	before := *e
	keepLeast(&e.stream, ev.stream)
	if ev.position < e.firstPosition || ev.position == e.firstPosition && ev.part < e.firstPart {
		e.firstPosition, e.firstPart = ev.position, ev.part
	}
	e.lastPosition = max(e.lastPosition, ev.position)
	if outcomeOf(ev) == unsettled {
		e.startCaptured = min(e.startCaptured, ev.captured)
	}
	if e.closing.at.id == ev.id {
		e.closing.captured = min(e.closing.captured, ev.captured)
	}
	return *e != before
}

func (c closing) before(d closing) bool {
	switch {
	case c.at == stamp{}:
		return true
	case c.closes != d.closes:
		return d.closes
	default:
		return c.at.compare(d.at) < 0
	}
}

// continues tells whether an event leaves its entity open.
func continues(ev *event) bool { return ev.phase == bronze.PhaseStart || ev.phase == bronze.PhaseDelta }

// outcomeOf is what an event says of how its entity ended.
func outcomeOf(ev *event) outcome {
	switch {
	case continues(ev):
		return unsettled
	case ev.phase == bronze.PhaseError, ev.status == bronze.StatusError:
		return failed
	case ev.status == bronze.StatusCancelled:
		return cancelled
	case ev.phase == bronze.PhaseEnd, ev.status == bronze.StatusOK:
		return succeeded
	default:
		return unsettled
	}
}

func keepLeast(s *string, t string) {
	if t != "" && (*s == "" || t < *s) {
		*s = t
	}
}

// kindOf returns the kind of entity that events of a kind make up.
func kindOf(event string) string {
	switch event {
	case bronze.KindMessageStart, bronze.KindTextDelta, bronze.KindReasoningDelta, bronze.KindToolCallDelta,
		bronze.KindMessageDelta, bronze.KindMessageEnd, bronze.KindHeartbeat, bronze.KindStreamEnd, bronze.KindStreamError,
		bronze.KindSSEEvent:
		return KindMessage
	case bronze.KindRPCRequest, bronze.KindRPCResponse, bronze.KindRPCError, bronze.KindToolInvocation, bronze.KindToolCall,
		bronze.KindToolResult:
		return KindCall
	case bronze.KindRPCNotification, bronze.KindRPCProgress, bronze.KindNote, bronze.KindSpan, bronze.KindLog:
		return KindSession
	default:
		return event
	}
}

// rankKind orders kinds: what is more particular first.
func rankKind(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b)) }

func rank(kind string) int {
	switch kind {
	case KindMessage:
		return 0
	case KindCall:
		return 1
	case KindSession:
		return 2
	default:
		return 3
	}
}

// status is open while an entity that was opened has not ended; an entity that was never opened is as it should be.
func (e *entity) status() string {
	switch {
	case e.outcome == failed:
		return string(bronze.StatusError)
	case e.outcome == cancelled:
		return string(bronze.StatusCancelled)
	case e.outcome == succeeded, !e.opened:
		return string(bronze.StatusOK)
	default:
		return statusOpen
	}
}

// settled tells whether the entity has ended. More may still come.
func (e *entity) settled() bool { return e.outcome != unsettled }

// started is when the entity began or, where only its end is known, when it ended.
func (e *entity) started() int64 {
	switch {
	case e.startTS != never:
		return e.startTS
	case e.startCaptured != never:
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
func (e *entity) clock() string {
	startOwn := e.startTS != never || e.startCaptured == never
	endOwn := !e.closing.closes || e.closing.ts != never
	if startOwn && endOwn {
		return ClockOwn
	}
	return ClockCapture
}

// ended is when the entity ended, never if it has not.
func (e *entity) ended() int64 {
	switch {
	case !e.closing.closes:
		return never
	case e.closing.ts != never:
		return e.closing.ts
	default:
		return e.closing.captured
	}
}

// latency is the time in microseconds from start to end by one clock: the events' own, else capture's. It is -1 if
// unknown, or if the clock ran backwards.
func (e *entity) latency() int64 {
	from, to := e.startCaptured, e.closing.captured
	if e.startTS != never && e.closing.ts != never {
		from, to = e.startTS, e.closing.ts
	}
	if !e.closing.closes || from == never || to < from {
		return -1
	}
	return to - from
}

func (e *entity) encode() []byte {
	w := make(encoder, 0, 256)
	w.string(e.kind)
	w.string(e.workflow)
	w.string(e.intent)
	w.string(e.stream)
	w.uint(e.firstPosition)
	w.uint(e.lastPosition)
	w.uint(uint64(e.firstPart))
	w.int(e.events)
	w.int(e.bytes)
	w.int(e.inputTokens)
	w.int(e.outputTokens)
	w.int(e.cachedTokens)
	w.int(e.reasoningTokens)
	w.real(e.cost)
	w.register(e.agent)
	w.register(e.capability)
	w.register(e.provider)
	w.register(e.role)
	w.register(e.title)
	w.register(e.finish)
	w.register(e.failure)
	w.bool(e.opened)
	w.byte(byte(e.outcome))
	w.int(e.startTS)
	w.int(e.startCaptured)
	w.stamp(e.request)
	w.bool(e.closing.closes)
	w.stamp(e.closing.at)
	w.int(e.closing.ts)
	w.int(e.closing.captured)
	w.uint(e.rows)
	return w
}

func decodeEntity(record []byte) (*entity, error) {
	d := decoder{rest: record}
	e := &entity{
		kind: d.string(), workflow: d.string(), intent: d.string(), stream: d.string(),
		firstPosition: d.uint(), lastPosition: d.uint(), firstPart: uint32(d.uint()), events: d.int(), bytes: d.int(),
		inputTokens: d.int(), outputTokens: d.int(), cachedTokens: d.int(), reasoningTokens: d.int(), cost: d.real(),
		agent: d.register(), capability: d.register(), provider: d.register(), role: d.register(), title: d.register(), finish: d.register(), failure: d.register(),
		opened: d.bool(), outcome: outcome(d.byte()), startTS: d.int(), startCaptured: d.int(), request: d.stamp(),
		closing: closing{d.bool(), d.stamp(), d.int(), d.int()}, rows: d.uint(),
	}
	return e, d.end()
}
