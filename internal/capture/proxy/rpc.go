package proxy

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync/atomic"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
	"assay/internal/capture/framing"
)

// Limits of what the record of an exchange says of the requests in it: how many, and the bytes of each one's id.
const (
	rpcRequestsMax = 1000
	rpcIDBytesMax  = 1 << 10
)

// rpcMessage is what is looked at of what a client sends.
type rpcMessage struct {
	ids       []string // of the requests in it, as JSON
	batch     bool
	cancels   string // the id of the request that it cancels, as JSON; "" if none
	cancelled string // why
}

// parseRPC looks at a body of JSON-RPC: a message, or several.
func parseRPC(body []byte) (m rpcMessage) {
	v, err := formats.Parse(body)
	if err != nil {
		return m
	}
	messages := []*fastjson.Value{v}
	if m.batch = v.Type() == fastjson.TypeArray; m.batch {
		messages = v.GetArray()
	}
	for _, message := range messages {
		id := rpcID(message.Get("id"))
		switch method := textOf(message.Get("method")); {
		case method == "":
		case id != "" && len(m.ids) < rpcRequestsMax:
			m.ids = append(m.ids, id)
		case method == "notifications/cancelled":
			m.cancels = rpcID(message.Get("params", "requestId"))
			m.cancelled = clip(textOf(message.Get("params", "reason")), errorBytesMax)
		}
	}
	return m
}

// id is that of the request, if the message is one and no batch.
func (m rpcMessage) id() string {
	if m.batch || len(m.ids) == 0 {
		return ""
	}
	return m.ids[0]
}

// rpcID is the JSON text of an id; "" if there is none or if it is too long.
func rpcID(v *fastjson.Value) string {
	if v == nil || v.Type() != fastjson.TypeString && v.Type() != fastjson.TypeNumber {
		return ""
	}
	if id := v.String(); len(id) <= rpcIDBytesMax {
		return id
	}
	return ""
}

// cancellation is why a request was cancelled by its client, which says so in another exchange; nil if it was not.
type cancellation struct{ reason atomic.Pointer[string] }

// awaited are requests that wait for their answers. It is a Writer of the answer.
type awaited struct {
	ids    []string
	format framing.Format
	split  *framing.Splitter
	first  bool
}

func await(ids []string, format framing.Format, eventBytes int) *awaited {
	return &awaited{slices.Clone(ids), format, framing.NewSplitter(format, eventBytes), true}
}

func (a *awaited) Write(p []byte) (int, error) {
	for unit, err := range a.split.Write(p) {
		if err == nil { // else it is too large to be recorded
			a.take(unit.Raw)
		}
	}
	return len(p), nil
}

// end takes what the answer ends with.
func (a *awaited) end() {
	if a.format != framing.SSE { // whose last event must be ended to be one
		a.take(a.split.Tail().Raw)
	}
}

func (a *awaited) take(raw []byte) {
	if len(a.ids) == 0 {
		return
	}
	if a.format == framing.SSE {
		for event := range framing.ParseSSE(raw, a.first) {
			a.answered(event.Data)
		}
	} else {
		for text := range framing.Texts(a.format, raw, a.first) {
			a.answered(text)
		}
	}
	a.first = false
}

func (a *awaited) answered(message []byte) {
	if !bytes.Contains(message, []byte(`"id"`)) {
		return
	}
	v, err := formats.Parse(message)
	if err != nil || v.Exists("method") {
		return
	}
	id := rpcID(v.Get("id"))
	a.ids = slices.DeleteFunc(a.ids, func(open string) bool { return open == id })
}

// rawIDs are ids as members of the record.
func rawIDs(ids []string) (raw []json.RawMessage) {
	for _, id := range ids {
		raw = append(raw, json.RawMessage(id))
	}
	return raw
}
