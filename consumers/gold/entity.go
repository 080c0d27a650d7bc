package gold

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"assay/consumers/bronze"
)

// Kinds of entities. An entity of none of these has the kind of its events.
const (
	KindMessage = "message" // what a model said in one stream
	KindCall    = "call"    // a request and its answer
	KindSession = "session" // notifications of one session

	KindExchange = "exchange" // an HTTP exchange of which nothing else is known
	KindEcho     = "echo"     // what a request repeats of an answer that is known itself
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
	price                       int64    // by the table of prices, in billionths of a US dollar; -1 if it has none
	agent, capability, provider register // first
	role, capabilityKind        register // first
	title                       register // of the workflow, last
	finish                      register // last
	reason                      reason   // greatest
	opened                      bool     // some event opened or continued it
	streamed                    bool     // some event continued a message
	solicited                   bool     // what asked for it is known
	echo                        bool     // it is what a request repeats of an answer
	hidden                      bool     // the answer itself is known: see said.go
	requests                    int64    // that a session made under one id
	outcome                     outcome  // greatest
	startTS, startCaptured      int64    // least over the events that do not close it
	endTS                       int64    // greatest over those that do; ageless if none has one
	request                     opening  // first of those that open it
	closing                     closing  // greatest
	answer                      closing  // greatest of those that are no transport's
	exchange                    stamp    // last that says how its HTTP exchange ended; the zero stamp if none
	rows                        uint64   // 1 and its episodes, if rows of it were held when it was first met: see held.go; 0 if not
}

// statusOpen is the status of an entity that was opened and has not ended.
const statusOpen = "open"

// outcome is how an entity ended, in order of precedence. What was said of the end goes before what can be concluded from the
// end of a transport; an error stays one, whatever was reported besides; and what was cancelled may well report an error.
type outcome byte

const (
	unsettled outcome = iota
	complete          // the transport brought all there was
	left              // who asked went away
	broken            // it broke off, or the transport reports an error
	succeeded
	failed
	cancelled
)

// opening is the event that decides what was asked. One that tells it first-hand goes before any that repeats it.
type opening struct {
	echo bool
	at   stamp // the zero stamp if there is none
}

func (o opening) before(p opening) bool {
	switch {
	case o.at == stamp{}:
		return false
	case p.at == stamp{}:
		return true
	case o.echo != p.echo:
		return !o.echo
	default:
		return o.at.compare(p.at) <= 0
	}
}

// closing is the event that decides when an entity ended and with what result: of those with the greatest outcome the last.
// While there is none it is the last that neither opens nor continues it. Of the same event the earliest capture counts.
type closing struct {
	outcome  outcome
	at       stamp
	captured int64
}

// reason is why an entity ended as it did: what the last event says of those with the greatest outcome that say something.
type reason struct {
	outcome outcome
	register
}

func (r *reason) keep(o outcome, at stamp, value string) {
	switch {
	case value == "" || o < r.outcome:
	case o > r.outcome:
		*r = reason{o, register{at, value}}
	default:
		r.keepLast(at, value)
	}
}

func newEntity(ordinal uint64) *entity {
	return &entity{
		ordinal: ordinal, firstPosition: math.MaxUint64, inputTokens: -1, outputTokens: -1, cachedTokens: -1, reasoningTokens: -1, cost: -1, price: unpriced,
		startTS: never, startCaptured: never, endTS: ageless,
	}
}

// changes tells which bodies of an entity an event becomes.
type changes struct{ request, result, exchange bool }

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
	e.keepProvider(at, ev.provider)
	e.role.keepFirst(at, ev.role)
	e.capabilityKind.keepFirst(at, ev.capabilityKind)
	e.finish.keepLast(at, ev.finish)
	e.title.keepLast(at, ev.title)
	e.inputTokens = max(e.inputTokens, ev.inputTokens)
	e.outputTokens = max(e.outputTokens, ev.outputTokens)
	e.cachedTokens = max(e.cachedTokens, ev.cachedTokens)
	e.reasoningTokens = max(e.reasoningTokens, ev.reasoningTokens)
	e.cost = max(e.cost, ev.cost)
	e.events++
	e.bytes += ev.bytes
	e.solicited = e.solicited || ev.kind == bronze.KindModelRequest
	e.echo = e.echo || echoes(ev)
	if ev.kind == bronze.KindRPCRequest {
		e.requests++
	}
	return e.settle(ev, at)
}

// settle joins what an event says of beginning and end.
func (e *entity) settle(ev *event, at stamp) (changed changes) {
	result := outcomeOf(ev)
	e.outcome = max(e.outcome, result)
	e.reason.keep(result, at, ev.failure)
	if continues(ev) {
		e.opened = true
		e.streamed = e.streamed || ev.phase == bronze.PhaseDelta && kindOf(ev.kind) == KindMessage
	} else {
		c := closing{result, at, ev.captured}
		if e.closing.before(c) {
			e.closing = c
		}
		if answers(ev) && e.answer.before(c) {
			e.answer, changed.result = c, true
		}
	}
	if o := (opening{ev.kind == bronze.KindToolCallEcho, at}); asks(ev) && !e.request.before(o) {
		e.request, changed.request = o, true
	}
	if ev.kind == bronze.KindExchangeEnd && (e.exchange == stamp{} || at.compare(e.exchange) > 0) {
		e.exchange, changed.exchange = at, true
	}
	switch {
	case result != unsettled && ev.ts != never:
		e.endTS = max(e.endTS, ev.ts)
	case result == unsettled && begins(ev):
		e.startTS = min(e.startTS, ev.ts)
	}
	e.meet(ev)
	return changed
}

// keepProvider prefers the first, but for one that speaks the format which all others speak too.
func (e *entity) keepProvider(at stamp, provider string) {
	known, vague := e.provider.value != "", e.provider.value == bronze.ProviderOpenAI
	switch {
	case known && vague && provider != "" && provider != bronze.ProviderOpenAI:
		e.provider = register{at, provider}
	case known && !vague && provider == bronze.ProviderOpenAI:
	default:
		e.provider.keepFirst(at, provider)
	}
}

// asks tells whether an event says what was asked. Of a message only a request to a model does, and a transport never does.
func asks(ev *event) bool {
	switch {
	case ev.phase != bronze.PhaseStart, ev.kind == bronze.KindExchange:
		return false
	case kindOf(ev.kind) == KindMessage:
		return ev.kind == bronze.KindModelRequest
	}
	return true
}

// answers tells whether an event says what was answered. A streamed message is its fragments.
func answers(ev *event) bool {
	switch ev.kind {
	case bronze.KindExchangeEnd, bronze.KindRPCExchange, bronze.KindRPCTransport, bronze.KindStreamCut, bronze.KindHeartbeat:
		return false
	case bronze.KindChatMessage:
		return true
	}
	return kindOf(ev.kind) != KindMessage
}

// begins tells whether an event may tell when its entity began. That a history repeats a call says nothing of that.
func begins(ev *event) bool { return ev.kind != bronze.KindToolCallEcho }

// meet joins what may differ between two captures of one event: when and where. It may be called any number of times.
func (e *entity) meet(ev *event) (changed bool) {
	before := *e
	keepLeast(&e.stream, ev.stream)
	if ev.position < e.firstPosition || ev.position == e.firstPosition && ev.part < e.firstPart {
		e.firstPosition, e.firstPart = ev.position, ev.part
	}
	e.lastPosition = max(e.lastPosition, ev.position)
	if outcomeOf(ev) == unsettled && begins(ev) {
		e.startCaptured = min(e.startCaptured, ev.captured)
	}
	if e.closing.at.id == ev.id {
		e.closing.captured = min(e.closing.captured, ev.captured)
	}
	if e.answer.at.id == ev.id {
		e.answer.captured = min(e.answer.captured, ev.captured)
	}
	return *e != before
}

func (c closing) before(d closing) bool {
	switch {
	case c.at == stamp{}:
		return true
	case c.outcome != d.outcome:
		return c.outcome < d.outcome
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
		if indirect(ev) {
			return broken
		}
		return failed
	case ev.status == bronze.StatusCancelled:
		if indirect(ev) {
			return left
		}
		return cancelled
	case ev.phase == bronze.PhaseEnd, ev.status == bronze.StatusOK:
		if indirect(ev) {
			return complete
		}
		return succeeded
	default:
		return unsettled
	}
}

// indirect tells whether what an event says of the end is concluded from that of a transport, or from what somebody repeats.
func indirect(ev *event) bool {
	switch ev.kind {
	case bronze.KindExchangeEnd, bronze.KindRPCExchange, bronze.KindStreamCut, bronze.KindStreamEnd, bronze.KindToolResultEcho:
		return true
	}
	return false
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
		bronze.KindMessageDelta, bronze.KindMessageEnd, bronze.KindStreamEnd, bronze.KindStreamError,
		bronze.KindSSEEvent, bronze.KindModelRequest, bronze.KindChatMessage, bronze.KindStreamCut:
		return KindMessage
	case bronze.KindRPCRequest, bronze.KindRPCResponse, bronze.KindRPCError, bronze.KindToolInvocation,
		bronze.KindRPCExchange, bronze.KindToolCall, bronze.KindToolCallEcho, bronze.KindToolResult, bronze.KindToolResultEcho:
		return KindCall
	case bronze.KindRPCNotification, bronze.KindRPCProgress, bronze.KindRPCTransport, bronze.KindHeartbeat,
		bronze.KindNote, bronze.KindSpan, bronze.KindLog:
		return KindSession
	case bronze.KindExchange, bronze.KindExchangeEnd:
		return KindExchange
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
	case KindExchange:
		return 4
	default:
		return 3
	}
}

// status is open while an entity that was opened has not ended; an entity that was never opened is as it should be. A message
// that came in pieces must say that it is complete: it broke off if only its transport says so.
func (e *entity) status() string {
	switch {
	case e.outcome == cancelled, e.outcome == left:
		return string(bronze.StatusCancelled)
	case e.outcome == failed, e.outcome == broken, e.outcome == complete && e.streamed:
		return string(bronze.StatusError)
	case e.outcome == succeeded, e.outcome == complete, !e.opened:
		return string(bronze.StatusOK)
	default:
		return statusOpen
	}
}

// failed tells whether the entity ended with an error.
func (e *entity) failed() bool { return e.status() == string(bronze.StatusError) }

// why is what is known of the reason for which the entity ended badly. What was told of an end that another outcome overrules
// is none.
func (e *entity) why() string {
	switch {
	case e.requests > 1:
		return fmt.Sprintf("%d requests of the session have this id, so what was answered to each is not known", e.requests)
	case e.reason.value != "" && (e.reason.outcome == e.outcome || e.reason.outcome == unsettled):
		return e.reason.value
	case e.outcome == complete && e.streamed:
		return "the answer ended without saying that it is complete"
	default:
		return ""
	}
}

// shown is the kind by which the entity is shown.
func (e *entity) shown() string {
	if e.hidden {
		return KindEcho
	}
	return e.kind
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
	endOwn := !e.settled() || e.endTS != ageless
	if startOwn && endOwn {
		return ClockOwn
	}
	return ClockCapture
}

// ended is when the entity ended, never if it has not.
func (e *entity) ended() int64 {
	switch {
	case !e.settled():
		return never
	case e.endTS != ageless:
		return e.endTS
	default:
		return e.closing.captured
	}
}

// latency is the time in microseconds from start to end by one clock: the events' own, else capture's. It is -1 if
// unknown, or if the clock ran backwards.
func (e *entity) latency() int64 {
	from, to := e.startCaptured, e.closing.captured
	if e.startTS != never && e.endTS != ageless {
		from, to = e.startTS, e.endTS
	}
	if !e.settled() || from == never || to < from {
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
	w.int(e.price)
	w.register(e.agent)
	w.register(e.capability)
	w.register(e.provider)
	w.register(e.role)
	w.register(e.title)
	w.register(e.finish)
	w.register(e.capabilityKind)
	w.byte(byte(e.reason.outcome))
	w.register(e.reason.register)
	for _, flag := range []bool{e.opened, e.streamed, e.solicited, e.echo, e.hidden} {
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
	w.uint(e.rows)
	return w
}

func decodeEntity(record []byte) (*entity, error) {
	d := decoder{rest: record}
	e := &entity{
		kind: d.string(), workflow: d.string(), intent: d.string(), stream: d.string(),
		firstPosition: d.uint(), lastPosition: d.uint(), firstPart: uint32(d.uint()), events: d.int(), bytes: d.int(),
		inputTokens: d.int(), outputTokens: d.int(), cachedTokens: d.int(), reasoningTokens: d.int(), cost: d.real(), price: d.int(),
		agent: d.register(), capability: d.register(), provider: d.register(), role: d.register(), title: d.register(), finish: d.register(),
		capabilityKind: d.register(), reason: reason{outcome(d.byte()), d.register()},
		opened: d.bool(), streamed: d.bool(), solicited: d.bool(), echo: d.bool(), hidden: d.bool(), requests: d.int(),
		outcome: outcome(d.byte()), startTS: d.int(), startCaptured: d.int(), endTS: d.int(),
		request: opening{d.bool(), d.stamp()}, closing: d.closing(), answer: d.closing(), exchange: d.stamp(), rows: d.uint(),
	}
	return e, d.end()
}

func (e *encoder) closing(c closing) {
	e.byte(byte(c.outcome))
	e.stamp(c.at)
	e.int(c.captured)
}

func (d *decoder) closing() closing { return closing{outcome(d.byte()), d.stamp(), d.int()} }
