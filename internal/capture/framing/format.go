package framing

import (
	"fmt"
	"mime"
	"strings"
)

// Format is the way in which a stream tells its events apart.
type Format int

// The formats.
const (
	SSE         Format = iota // Server-Sent Events
	NDJSON                    // one JSON text a line
	JSON                      // one JSON document
	EventStream               // AWS's binary event stream
)

// EventsMax is the number of events that one frame may hold, and one array. An array with more elements is not split
// up: it is one event, which no decoder takes.
const EventsMax = 1 << 16

// FormatOf returns the format of a media type, such as the value of a Content-Type header. Errors wrap ErrFormat.
func FormatOf(contentType string) (Format, error) {
	switch contentType { // as nearly all are written
	case "text/event-stream":
		return SSE, nil
	case "application/x-ndjson":
		return NDJSON, nil
	case "application/json":
		return JSON, nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && media == "" {
		return 0, fmt.Errorf("%w %q: %w", ErrFormat, contentType, err)
	}
	switch {
	case media == "text/event-stream":
		return SSE, nil
	case media == "application/x-ndjson", media == "application/ndjson",
		media == "application/jsonl", media == "application/x-jsonlines":
		return NDJSON, nil
	case media == "application/json", strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"):
		return JSON, nil
	case media == "application/vnd.amazon.eventstream":
		return EventStream, nil
	}
	return 0, fmt.Errorf("%w %q: use text/event-stream, application/x-ndjson or application/json", ErrFormat, contentType)
}

// Count returns the number of events in body, which holds whole events. With first, no event precedes body in its
// stream.
func Count(f Format, body []byte, first bool) int {
	n := 0
	if f == SSE {
		for range ParseSSE(body, first) {
			n++
		}
		return n
	}
	for range Texts(f, body, first) {
		n++
	}
	return n
}

var bom = []byte("\xEF\xBB\xBF")
