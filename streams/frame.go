package streams

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Source says what a frame's bytes are: the second token of its subject.
type Source string

// The sources, one per capture format.
const (
	SourceSSE     Source = "sse"     // Server-Sent Events
	SourceJSONRPC Source = "jsonrpc" // JSON-RPC 2.0 messages, one a line
	SourceEvent   Source = "event"   // state events and CloudEvents, one a line
)

// Valid reports whether s is one of the sources.
func (s Source) Valid() bool { return s == SourceSSE || s == SourceJSONRPC || s == SourceEvent }

// Content types of frames.
const (
	ContentSSE    = "text/event-stream"
	ContentNDJSON = "application/x-ndjson"
	ContentJSON   = "application/json"
)

// Side is the sender of a JSON-RPC message, where the capture knows it.
type Side string

// The two sides of a JSON-RPC session; the zero value means unknown.
const (
	SideClient Side = "client"
	SideServer Side = "server"
)

// Header names of a frame. Any NATS client may set them; what is missing gets the default that ParseFrame documents.
const (
	HeaderContentType = "Content-Type"
	HeaderStream      = "Assay-Stream"
	HeaderPosition    = "Assay-Position"
	HeaderCount       = "Assay-Count"
	HeaderTime        = "Assay-Time"
	HeaderShed        = "Assay-Shed"
	HeaderSide        = "Assay-Side"
)

// Frame is one message of BRONZE: one or more consecutive events of one source stream, as the bytes came.
type Frame struct {
	Source      Source
	Workflow    string
	ContentType string
	Stream      string    // id of the source stream, for instance a session or a file
	Position    uint64    // position of the first event in the stream, from 0
	Count       int       // events in Body; 0 for bytes that hold none, such as an unfinished tail
	Captured    time.Time // when the bytes were captured
	Shed        float64   // threshold of the load gate in force at capture, 0 to 1
	Side        Side      // JSON-RPC only; "" where the capture does not know it
	Body        []byte
}

// ID is the frame's Nats-Msg-Id: stream, position and digest, so that a retry is recognised and a different frame is
// never mistaken for one.
func (f *Frame) ID() string {
	digest := sha256.Sum256(f.Body)
	return f.Stream + "/" + strconv.FormatUint(f.Position, 10) + "/" + hex.EncodeToString(digest[:16])
}

// Subject is the frame's subject, bronze.<source>.<workflow>.
func (f *Frame) Subject() string { return Subject(f.Source, f.Workflow) }

// Msg renders the frame as the message that is published to the log.
func (f *Frame) Msg() *nats.Msg {
	h := nats.Header{}
	h.Set(HeaderContentType, f.ContentType)
	h.Set(HeaderStream, EscapeHeader(f.Stream))
	h.Set(HeaderPosition, strconv.FormatUint(f.Position, 10))
	h.Set(HeaderCount, strconv.Itoa(f.Count))
	h.Set(HeaderTime, f.Captured.UTC().Format(time.RFC3339Nano))
	h.Set(HeaderShed, strconv.FormatFloat(f.Shed, 'g', -1, 64))
	if f.Side != "" {
		h.Set(HeaderSide, string(f.Side))
	}
	h.Set(nats.MsgIdHdr, EscapeHeader(f.ID()))
	return &nats.Msg{Subject: f.Subject(), Header: h, Data: f.Body}
}

// ParseFrame reads a message of BRONZE back, given its sequence and the time at which the log stored it. Headers that a
// foreign publisher left out get defaults: the stream is the subject, the position the sequence, the count 1, the
// capture time the log's, the content type JSON (SSE for the source sse), the threshold 0.
//
// Errors wrap ErrFrame and name the header at fault.
func ParseFrame(subject string, h nats.Header, body []byte, seq uint64, stored time.Time) (*Frame, error) {
	source, workflow, err := ParseSubject(subject)
	if err != nil {
		return nil, err
	}
	f := &Frame{
		Source: source, Workflow: workflow, ContentType: ContentJSON,
		Stream: subject, Position: seq, Count: 1, Captured: stored.UTC(), Body: body,
	}
	if source == SourceSSE {
		f.ContentType = ContentSSE
	}
	if v := h.Get(HeaderContentType); v != "" {
		f.ContentType = v
	}
	if v := h.Get(HeaderStream); v != "" {
		f.Stream = UnEscapeHeader(v)
	}
	f.Side = Side(h.Get(HeaderSide))
	parse := func(name string, into func(string) error) {
		if v := h.Get(name); v != "" && err == nil {
			if perr := into(v); perr != nil {
				err = fmt.Errorf("%w: header %s is %q: %w", ErrFrame, name, v, perr)
			}
		}
	}
	parse(HeaderPosition, func(v string) (e error) { f.Position, e = strconv.ParseUint(v, 10, 63); return })
	parse(HeaderCount, func(v string) (e error) { f.Count, e = parseCount(v); return })
	parse(HeaderTime, func(v string) (e error) { f.Captured, e = time.Parse(time.RFC3339Nano, v); return })
	parse(HeaderShed, func(v string) (e error) { f.Shed, e = parseThreshold(v); return })
	return f, err
}

func parseCount(v string) (int, error) {
	n, err := strconv.ParseUint(v, 10, 31)
	return int(n), err
}

func parseThreshold(v string) (float64, error) {
	x, err := strconv.ParseFloat(v, 64)
	if err == nil && !(x >= 0 && x <= 1) {
		err = fmt.Errorf("not between 0 and 1")
	}
	return x, err
}

// Subject returns bronze.<source>.<workflow>, the workflow escaped to one legal token.
func Subject(source Source, workflow string) string {
	return "bronze." + string(source) + "." + EscapeToken(workflow)
}

// ParseSubject is the inverse of Subject. Its errors wrap ErrFrame.
func ParseSubject(subject string) (Source, string, error) {
	parts := strings.Split(subject, ".")
	if len(parts) != 3 || parts[0] != "bronze" || !Source(parts[1]).Valid() {
		return "", "", fmt.Errorf("%w: subject %q is not bronze.<sse|jsonrpc|event>.<workflow>", ErrFrame, subject)
	}
	workflow, err := UnescapeToken(parts[2])
	if err != nil {
		return "", "", fmt.Errorf("%w: subject %q: %w", ErrFrame, subject, err)
	}
	return Source(parts[1]), workflow, nil
}
