package model

import (
	"cmp"
	"strings"

	"assay/consumers/bronze"
	"assay/streams"
)

// Kinds of entities. An entity of none of these has the kind of its events.
const (
	KindMessage = "message" // what a model said in one stream
	KindCall    = "call"    // a request and its answer
	KindSession = "session" // notifications of one session

	KindExchange = "exchange" // an HTTP exchange of which nothing else is known
	KindEcho     = "echo"     // what a request repeats of an answer that is known itself
)

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
	at   Stamp // the zero stamp if there is none
}

func (o opening) before(p opening) bool {
	switch {
	case o.at == Stamp{}:
		return false
	case p.at == Stamp{}:
		return true
	case o.echo != p.echo:
		return !o.echo
	default:
		return o.at.Compare(p.at) <= 0
	}
}

// closing is the event that decides when an entity ended and with what result: of those with the greatest outcome the last.
// While there is none it is the last that neither opens nor continues it. Of the same event the earliest capture counts.
type closing struct {
	outcome  outcome
	at       Stamp
	captured int64
}

// reason is why an entity ended as it did: what the last event says of those with the greatest outcome that say something.
type reason struct {
	outcome outcome
	register
}

func (r *reason) keep(o outcome, at Stamp, value string) {
	switch {
	case value == "" || o < r.outcome:
	case o > r.outcome:
		*r = reason{o, register{at, value}}
	default:
		r.keepLast(at, value)
	}
}

// asks tells whether an event says what was asked. Of a message only a request to a model does, and a transport never does.
func asks(ev *Event) bool {
	switch {
	case ev.Phase != bronze.PhaseStart, ev.Kind == bronze.KindExchange:
		return false
	case kindOf(ev.Kind) == KindMessage:
		return ev.Kind == bronze.KindModelRequest
	}
	return true
}

// answers tells whether an event says what was answered. A streamed message is its fragments.
func answers(ev *Event) bool {
	switch ev.Kind {
	case bronze.KindExchangeEnd, bronze.KindRPCExchange, bronze.KindRPCTransport, bronze.KindStreamCut, bronze.KindHeartbeat:
		return false
	case bronze.KindChatMessage:
		return true
	}
	return kindOf(ev.Kind) != KindMessage
}

// begins tells whether an event may tell when its entity began. That a history repeats a call says nothing of that.
func begins(ev *Event) bool { return ev.Kind != bronze.KindToolCallEcho }

func (c closing) before(d closing) bool {
	switch {
	case c.at == Stamp{}:
		return true
	case c.outcome != d.outcome:
		return c.outcome < d.outcome
	default:
		return c.at.Compare(d.at) < 0
	}
}

// continues tells whether an event leaves its entity open.
func continues(ev *Event) bool { return ev.Phase == bronze.PhaseStart || ev.Phase == bronze.PhaseDelta }

// OutcomeOf is what an event says of how its entity ended.
func OutcomeOf(ev *Event) outcome {
	switch {
	case continues(ev):
		return unsettled
	case ev.Phase == bronze.PhaseError, ev.Status == bronze.StatusError:
		if indirect(ev) {
			return broken
		}
		return failed
	case ev.Status == bronze.StatusCancelled:
		if indirect(ev) {
			return left
		}
		return cancelled
	case ev.Phase == bronze.PhaseEnd, ev.Status == bronze.StatusOK:
		if indirect(ev) {
			return complete
		}
		return succeeded
	default:
		return unsettled
	}
}

// indirect tells whether what an event says of the end is concluded from that of a transport, or from what somebody repeats.
func indirect(ev *Event) bool {
	switch ev.Kind {
	case bronze.KindExchangeEnd, bronze.KindRPCExchange, bronze.KindStreamCut, bronze.KindStreamEnd, bronze.KindToolResultEcho:
		return true
	}
	return false
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

func (e *Encoder) closing(c closing) {
	e.byte(byte(c.outcome))
	e.stamp(c.at)
	e.int(c.captured)
}

func (d *Decoder) closing() closing { return closing{outcome(d.byte()), d.stamp(), d.Int()} }

// echoes tells whether an event is part of what a request repeats of an answer, or of what telemetry tells of one.
func echoes(ev *Event) bool {
	switch ev.Kind {
	case bronze.KindChatMessage:
		return ev.Role == bronze.RoleAssistant
	case bronze.KindMessage:
		return ev.Role == bronze.RoleAssistant && ev.source == string(streams.SourceOTLP)
	}
	return false
}
