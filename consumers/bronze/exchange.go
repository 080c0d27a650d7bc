package bronze

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"github.com/valyala/fastjson"

	"assay/streams"
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
	if text(v, "protocol") == string(streams.SourceJSONRPC) {
		d.rpcExchange(e, v)
		return
	}
	id := text(v, "exchange")
	said := joinWords(text(v, "method"), text(v, "path"))
	e.Kind, e.Phase, e.IntentID, e.Text = KindExchange, PhaseStart, id, said
	e.Time = eventTime(v.Get("started_at"))
	e.ParentID = traceParent(text(v, "traceparent"))
	if e.Capability = pathModel(text(v, "path")); e.Capability != "" {
		e.CapabilityKind = CapabilityModel
	} else if e.Capability = pathMethod(text(v, "path")); e.Capability != "" {
		e.CapabilityKind, e.Provider = CapabilityMethod, ProviderA2A
	}
	p := d.part(e)
	p.Kind, p.Phase, p.IntentID, p.Text, p.Payload = KindExchangeEnd, PhaseEnd, id, said, e.Payload
	p.Time = eventTime(v.Get("ended_at"))
	p.Status, p.Error = exchangeOutcome(int(max(count(v, "status"), 0)), text(v, "end"), text(v, "error"))
	e.Payload = ""
}

// modelPath is how Bedrock and Gemini are addressed, whose requests do not name the model.
var modelPath = regexp.MustCompile(`/(?:model/([^/]+)/(?:converse|invoke)|models/([^/:]+):(?:streamG|g)enerateContent)`)

// pathModel is the model that a path names, "" if it names none.
func pathModel(path string) string {
	m := modelPath.FindStringSubmatch(path)
	if m == nil {
		return ""
	}
	name := cmp.Or(m[1], m[2])
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	return valid(name)
}

// rpcExchange decodes what a proxy knows of an exchange that carried JSON-RPC. Each request in it is a call, which has ended
// with the exchange if there was no answer. An exchange without requests tells of its session, and of no end.
func (d *decoder) rpcExchange(e *Event, v *fastjson.Value) {
	code := int(max(count(v, "status"), 0))
	status, why := exchangeOutcome(code, text(v, "end"), text(v, "error"))
	requests := v.GetArray("requests")
	if len(requests) == 0 {
		e.Kind, e.IntentID, e.Time = KindRPCTransport, text(v, "session"), eventTime(v.Get("started_at"))
		if status == StatusError && code != http.StatusMethodNotAllowed { // which a server of MCP says that offers no such stream
			e.Text = joinWords(text(v, "method"), text(v, "path")) + ": " + why
		}
		return
	}
	switch {
	case present(v, "cancelled"):
		status, why = StatusCancelled, text(v, "cancelled")
	case status == StatusOK:
		status, why = StatusError, "the exchange ended without an answer"
	}
	unanswered := map[string]bool{}
	for _, id := range v.GetArray("unanswered") {
		unanswered[rpcID(id)] = true
	}
	for i, request := range requests {
		p := e
		if i > 0 {
			p = d.part(e)
		}
		id := rpcID(request)
		p.Kind, p.IntentID = KindRPCExchange, text(v, "exchange")+"/"+string(streams.SideClient)+"/"+id
		if p.Time = eventTime(v.Get("started_at")); unanswered[id] {
			p.Phase, p.Status, p.Error = PhaseEnd, status, why
			p.Time = eventTime(v.Get("ended_at"))
		}
	}
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
