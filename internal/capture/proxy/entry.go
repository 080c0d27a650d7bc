package proxy

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"assay/streams"
)

// How an exchange ended.
const (
	endComplete    = "complete"     // the whole answer came
	endClientLeft  = "client_left"  // the client went away before
	endUpstreamCut = "upstream_cut" // the upstream server broke off
	endUnreachable = "unreachable"  // there was no answer
	endTimeout     = "timeout"
)

// Limits of an entry.
const (
	pathBytesMax   = 1 << 10
	errorBytesMax  = 1 << 10
	rateLimitMax   = 32  // headers
	rateLimitBytes = 256 // of one of them
)

// entry is what the log is told of an exchange, besides what was said: one event of the source http.
type entry struct {
	Exchange      string            `json:"exchange"`
	Method        string            `json:"method"`
	Path          string            `json:"path"`                  // without query
	Traceparent   string            `json:"traceparent,omitempty"` // W3C's trace context of the request
	Protocol      string            `json:"protocol,omitempty"`    // jsonrpc where that was spoken
	Status        int               `json:"status,omitempty"`      // of HTTP; none if there was no answer
	StartedAt     time.Time         `json:"started_at"`
	FirstByteAt   *time.Time        `json:"first_byte_at,omitempty"` // of the answer's header
	EndedAt       time.Time         `json:"ended_at"`
	End           string            `json:"end"`
	Error         string            `json:"error,omitempty"` // why it did not end well, or what an answer that is no JSON says
	RequestBytes  int64             `json:"request_bytes"`
	ResponseBytes int64             `json:"response_bytes"`
	Unrecorded    int               `json:"unrecorded_messages,omitempty"` // of a WebSocket: sound and what else is no JSON
	RateLimit     map[string]string `json:"rate_limit,omitempty"`

	// Of JSON-RPC: the stream that it is recorded in, the ids of the client's requests, of those among them that were not answered,
	// and why they were cancelled, if they were.
	Session    string            `json:"session,omitempty"`
	Requests   []json.RawMessage `json:"requests,omitempty"`
	Unanswered []json.RawMessage `json:"unanswered,omitempty"`
	Cancelled  *string           `json:"cancelled,omitempty"`
}

// frame renders the entry for the log.
func (e *entry) frame(workflow string) *streams.Frame {
	body, _ := json.Marshal(e) // it has a JSON form
	return &streams.Frame{
		Source: streams.SourceHTTP, Workflow: workflow, ContentType: streams.ContentJSON, Stream: e.Exchange + "/http",
		Exchange: e.Exchange, Count: 1, Captured: e.EndedAt, Body: body,
	}
}

// rateLimit returns the headers that tell of limits on the rate of requests, by their names in lower case.
func rateLimit(header http.Header) map[string]string {
	var limits map[string]string
	for _, name := range slices.Sorted(maps.Keys(header)) {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "retry-after") && !strings.Contains(lower, "ratelimit-") {
			continue
		}
		if limits == nil {
			limits = map[string]string{}
		}
		if limits[lower] = clip(header.Get(name), rateLimitBytes); len(limits) == rateLimitMax {
			break
		}
	}
	return limits
}

// clip cuts a text to at most n bytes, where a character ends.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
