package bronze

import (
	"fmt"
	"net/http"

	"github.com/valyala/fastjson"
)

// How an HTTP exchange may end.
const (
	exchangeComplete   = "complete"
	exchangeClientLeft = "client_left"
)

// exchange decodes what a proxy knows of an HTTP exchange: one event for its beginning, one for its end. What was said in it has
// the same intent, so all of it is one call; what the answer itself says of its end counts more than that the bytes were
// complete, or that somebody left after it.
func (d *decoder) exchange(e *Event, v *fastjson.Value) {
	id := text(v, "exchange")
	said := joinWords(text(v, "method"), text(v, "path"))
	e.Kind, e.Phase, e.IntentID, e.Text = KindExchange, PhaseStart, id, said
	e.Time = eventTime(v.Get("started_at"))
	p := d.part(e)
	p.Kind, p.Phase, p.IntentID, p.Text, p.Payload = KindExchangeEnd, PhaseEnd, id, said, e.Payload
	p.Time = eventTime(v.Get("ended_at"))
	p.Status, p.Error = exchangeOutcome(int(max(count(v, "status"), 0)), text(v, "end"), text(v, "error"))
	e.Payload = ""
}

// exchangeOutcome tells how an exchange ended, and why if not well.
func exchangeOutcome(status int, end, reason string) (Status, string) {
	switch {
	case status >= http.StatusBadRequest:
		said := joinWords(fmt.Sprintf("HTTP %d", status), http.StatusText(status))
		if reason != "" {
			said += ": " + reason
		}
		return StatusError, said
	case end == exchangeClientLeft:
		return StatusCancelled, joinWords("the client left before the answer was complete", reason)
	case end != exchangeComplete:
		if reason == "" {
			reason = "the exchange ended with " + end
		}
		return StatusError, reason
	case reason != "":
		return StatusError, reason
	}
	return StatusOK, ""
}

func joinWords(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}
