package streams

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"
)

// Source says what a frame's bytes are: the second token of its subject.
type Source string

// The sources, one per capture format.
const (
	SourceSSE     Source = "sse"     // Server-Sent Events
	SourceJSONRPC Source = "jsonrpc" // JSON-RPC 2.0 messages, one a line
	SourceEvent   Source = "event"   // state events and CloudEvents, one a line
	SourceOTLP    Source = "otlp"    // exports of OpenTelemetry, traces and logs
	SourceHTTP    Source = "http"    // what a proxy knows of an exchange, one object each
)

// SourceNames lists the sources for people.
const SourceNames = "sse, jsonrpc, event, otlp or http"

// Valid reports whether s is one of the sources.
func (s Source) Valid() bool {
	switch s {
	case SourceSSE, SourceJSONRPC, SourceEvent, SourceOTLP, SourceHTTP:
		return true
	}
	return false
}

// Content types of frames.
const (
	ContentSSE         = "text/event-stream"
	ContentNDJSON      = "application/x-ndjson"
	ContentEventStream = "application/vnd.amazon.eventstream"
	ContentJSON        = "application/json"
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
	HeaderExchange    = "Assay-Exchange"
	HeaderMap         = "Assay-Map"
)

// Frame is one message of BRONZE: one or more consecutive events of one source stream, as the bytes came.
type Frame struct {
	Source      Source
	Workflow    string
	ContentType string
	Stream      string    // id of the source stream, for instance a session or a file
	Position    uint64    // position of the first event in the stream, from 0
	Count       int       // events in Body; 0 for bytes that hold none, such as an unfinished tail
	Captured    time.Time // when the bytes were captured, read back in UTC
	Shed        float64   // threshold of the load gate in force at capture, 0 to 1
	Side        Side      // JSON-RPC only; "" where the capture does not know it
	Exchange    string    // the HTTP exchange, or turn of an ACP session, that the frame belongs to, "" if it came otherwise
	Map         string    // which members of the user's own events hold what: see package mapping; "" for none
	Body        []byte
}

// Limits of a frame, besides its size.
const (
	// SubjectBytesMax limits the subject. It stays below the 4,096 bytes that a NATS server takes for a whole protocol
	// line; a workflow id of up to 675 bytes always fits, whatever is in it.
	SubjectBytesMax = 2 << 10
	// StreamBytesMax limits the id of the source stream.
	StreamBytesMax = 4 << 10
	// MapBytesMax limits the mapping.
	MapBytesMax = 1 << 10
	// ExchangeBytesMax limits the id of the HTTP exchange.
	ExchangeBytesMax = 256
)

// validate reports what would keep the log from storing the frame or a reader from reading it back. Errors wrap ErrFrame.
func (f *Frame) validate() error {
	switch {
	case !f.Source.Valid():
		return fmt.Errorf("%w: source %q is not %s", ErrFrame, f.Source, SourceNames)
	case f.ContentType == "" || strings.ContainsFunc(f.ContentType, unicode.IsControl):
		return fmt.Errorf("%w: content type %q", ErrFrame, f.ContentType)
	case len(f.Stream) > StreamBytesMax:
		return fmt.Errorf("%w: stream id has %d bytes, the limit is %d", ErrFrame, len(f.Stream), StreamBytesMax)
	case len(f.Exchange) > ExchangeBytesMax:
		return fmt.Errorf("%w: exchange id has %d bytes, the limit is %d", ErrFrame, len(f.Exchange), ExchangeBytesMax)
	case len(f.Map) > MapBytesMax:
		return fmt.Errorf("%w: mapping has %d bytes, the limit is %d", ErrFrame, len(f.Map), MapBytesMax)
	case f.Position > math.MaxInt64:
		return fmt.Errorf("%w: position %d is beyond 2^63-1", ErrFrame, f.Position)
	case f.Count < 0 || f.Count > math.MaxInt32:
		return fmt.Errorf("%w: count %d is not between 0 and 2^31-1", ErrFrame, f.Count)
	case !(f.Shed >= 0 && f.Shed <= 1):
		return fmt.Errorf("%w: shed threshold %v is not between 0 and 1", ErrFrame, f.Shed)
	case f.Side != "" && f.Side != SideClient && f.Side != SideServer:
		return fmt.Errorf("%w: side %q is neither client nor server", ErrFrame, f.Side)
	}
	if n := len(f.Subject()); n > SubjectBytesMax {
		return fmt.Errorf("%w: workflow id makes a subject of %d bytes, the limit is %d", ErrFrame, n, SubjectBytesMax)
	}
	return nil
}

// ID is the frame's Nats-Msg-Id: stream, position and digest, so that a retry is recognised and a different frame is
// never mistaken for one.
func (f *Frame) ID() string {
	return f.Stream + "/" + strconv.FormatUint(f.Position, 10) + "/" + bodyDigest(f.Body)
}

func bodyDigest(body []byte) string {
	digest := sha256.Sum256(body)
	return hex.EncodeToString(digest[:16])
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
	if f.Exchange != "" {
		h.Set(HeaderExchange, EscapeHeader(f.Exchange))
	}
	if f.Map != "" {
		h.Set(HeaderMap, EscapeHeader(f.Map))
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
	if forwarded := strings.Count(subject, ".") > 2; forwarded && EdgeSequence(h) == 0 {
		return nil, fmt.Errorf("%w: subject %q is an edge's, and there is no header %s", ErrFrame, subject, HeaderEdgeSequence)
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
		f.Stream = UnescapeHeader(v)
	}
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
	parse(HeaderSide, func(v string) (e error) { f.Side, e = parseSide(v); return })
	parse(HeaderExchange, func(v string) (e error) { f.Exchange, e = parseID(v, ExchangeBytesMax); return })
	parse(HeaderMap, func(v string) (e error) { f.Map, e = parseID(v, MapBytesMax); return })
	f.Captured = f.Captured.UTC()
	return f, err
}

func parseCount(v string) (int, error) {
	n, err := strconv.ParseUint(v, 10, 31)
	return int(n), err
}

func parseThreshold(v string) (float64, error) {
	x, err := strconv.ParseFloat(v, 64)
	if err == nil && !(x >= 0 && x <= 1) {
		err = errors.New("not between 0 and 1")
	}
	return x, err
}

func parseSide(v string) (Side, error) {
	side := Side(v)
	if side != SideClient && side != SideServer {
		return "", fmt.Errorf("neither %s nor %s", SideClient, SideServer)
	}
	return side, nil
}

func parseID(v string, limit int) (string, error) {
	id := UnescapeHeader(v)
	if len(id) > limit {
		return "", fmt.Errorf("longer than %d bytes", limit)
	}
	return id, nil
}

// Subject returns bronze.<source>.<workflow>, the workflow escaped to one legal token.
func Subject(source Source, workflow string) string {
	return "bronze." + string(source) + "." + EscapeToken(workflow)
}

// Subjects are what the subjects of frames match whose source and workflow match two tokens: those of frames that were captured here,
// and those of frames that edges have forwarded.
func Subjects(source, workflow string) []string {
	return []string{"bronze." + source + "." + workflow, "bronze." + source + ".*." + workflow}
}

// ParseSubject is the inverse of Subject, also for a frame that an edge has forwarded, whose name stands before the workflow. Its
// errors wrap ErrFrame.
func ParseSubject(subject string) (Source, string, error) {
	parts := strings.Split(subject, ".")
	if len(parts) < 3 || len(parts) > 4 || parts[0] != "bronze" || !Source(parts[1]).Valid() {
		return "", "", fmt.Errorf("%w: subject %q is not bronze.<sse|jsonrpc|event|otlp|http>.<workflow>", ErrFrame, subject)
	}
	workflow, err := UnescapeToken(parts[len(parts)-1])
	if err != nil {
		return "", "", fmt.Errorf("%w: subject %q: %w", ErrFrame, subject, err)
	}
	return Source(parts[1]), workflow, nil
}
