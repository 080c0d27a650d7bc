package bronze

import (
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
	"assay/internal/capture/framing"
	"assay/internal/capture/mapping"
	"assay/kernels"
	"assay/streams"
)

// Option adjusts Decode.
type Option func(*decoder)

// WithContract sets the contract of the token gate for continuous observations that carry none. Without it such
// observations are kept as they are.
func WithContract(c kernels.Contract) Option { return func(d *decoder) { d.contract = &c } }

// Decode returns the events of the frame that the log stored at sequence seq, none of them shed yet: one or more for each
// record, which stand at consecutive positions. Those of one record follow each other, told apart by their part. It never
// fails: a record that cannot be decoded is one dead event, with a reason.
//
// A frame that cannot be split at all, or whose count is not that of its bytes, is one dead event.
//
// Event.Raw aliases the frame's body; nothing else does.
func Decode(f *streams.Frame, seq uint64, opts ...Option) []Event {
	d := decoder{frame: f, seq: seq}
	for _, o := range opts {
		o(&d)
	}
	format, err := framing.FormatOf(f.ContentType)
	if err != nil {
		return d.deadFrame(err.Error())
	}
	if f.Map != "" {
		if d.mapping, err = mapping.Parse(f.Map); err != nil {
			return d.deadFrame(err.Error())
		}
	}
	if f.Count > framing.EventsMax {
		return d.deadFrame(fmt.Sprintf("frame says %d events; more than %d do not fit", f.Count, framing.EventsMax))
	}
	d.scratch = scratches.Get().(*scratch)
	defer d.release()
	d.events = make([]Event, 0, min(f.Count, 1+len(f.Body)/2)) // an event has a byte at least, and an end
	if !d.body(format) {
		d.events, d.records = nil, 0
		return d.deadFrame(fmt.Sprintf("frame says %d events and holds %d; set %s, and end an SSE event with an empty line",
			f.Count, framing.Count(format, f.Body, f.Position == 0), streams.HeaderCount))
	}
	return d.events
}

// body decodes the records of the frame's body. It reports whether there are as many as the frame says, and stops where there are more.
func (d *decoder) body(format framing.Format) bool {
	f, count := d.frame, uint64(d.frame.Count)
	if format == framing.SSE {
		for block := range framing.ParseSSE(f.Body, f.Position == 0) {
			if d.records == count {
				return false
			}
			d.block(block)
		}
		d.tail()
		return d.records == count
	}
	for text := range framing.Texts(format, f.Body, f.Position == 0) {
		switch {
		case d.records == count:
			return false
		case format == framing.EventStream:
			d.message(text)
		default:
			d.text(text)
		}
	}
	return d.records == count
}

// Decoder decodes frames and sheds of each what the load gate would at the threshold in force when it was captured.
type Decoder struct{ options []Option }

// NewDecoder returns a Decoder that decodes with options.
func NewDecoder(options ...Option) *Decoder { return &Decoder{options} }

// Decode is the function Decode followed by LoadGate.
func (d *Decoder) Decode(f *streams.Frame, seq uint64) []Event {
	events := Decode(f, seq, d.options...)
	LoadGate(events, f.Shed)
	return events
}

// DeadFrame returns the dead event for a message of BRONZE that is no frame: its subject or a header is malformed.
func DeadFrame(subject string, body []byte, seq uint64, stored time.Time, err error) Event {
	f := streams.Frame{Source: "unknown", Stream: subject, Position: seq, Captured: stored.UTC(), Body: body}
	if parts := strings.SplitN(subject, ".", 3); len(parts) == 3 && streams.Source(parts[1]).Valid() {
		f.Source = streams.Source(parts[1])
	}
	return DeadFrameOf(&f, seq, err)
}

// DeadFrameOf returns the dead event for a frame that cannot be decoded at all.
func DeadFrameOf(f *streams.Frame, seq uint64, err error) Event {
	d := decoder{frame: f, seq: seq}
	return d.deadFrame(err.Error())[0]
}

// scratch is what a decoder needs while it decodes. What the parser returns is valid until it parses again, so strings are copied.
type scratch struct {
	parser fastjson.Parser
	parts  []Event // further ones of the record at hand
}

// scratches are shared by all decoders.
var scratches = sync.Pool{New: func() any { return &scratch{} }}

// partsKept is the room for parts that is kept for the next frame.
const partsKept = 1 << 10

func (d *decoder) release() {
	if cap(d.parts) > partsKept {
		d.parts = nil
	}
	scratches.Put(d.scratch)
}

// decoder decodes one frame.
type decoder struct {
	frame    *streams.Frame
	seq      uint64
	contract *kernels.Contract
	mapping  mapping.Mapping
	*scratch
	raw     []byte  // what the record at hand says, valid UTF-8
	records uint64  // begun
	events  []Event // of all records
}

func (d *decoder) deadFrame(reason string) []Event {
	d.add(d.frame.Body).Kill(reason)
	return d.events
}

// add begins the next record, whose raw bytes are given, and returns its first event to be filled in.
func (d *decoder) add(raw []byte) *Event {
	d.events = append(d.events, d.event(d.frame.Position+d.records, raw))
	d.records++
	return &d.events[len(d.events)-1]
}

func (d *decoder) event(position uint64, raw []byte) Event {
	return Event{
		Source:     string(d.frame.Source),
		StreamID:   valid(d.frame.Stream),
		Position:   position,
		WorkflowID: valid(d.frame.Workflow),
		CapturedAt: d.frame.Captured,
		BronzeSeq:  d.seq,
		Bytes:      len(raw),
		Digest:     sha1.Sum(raw),

		InputTokens: -1, OutputTokens: -1, CachedTokens: -1, ReasoningTokens: -1, WrittenTokens: -1, HourTokens: -1, CostUSD: -1,
		Disposition: Kept,
		Raw:         raw,
	}
}

// intent is that of what is said in the frame: the HTTP exchange, or the stream.
func (d *decoder) intent() string {
	if d.frame.Exchange != "" {
		return valid(d.frame.Exchange)
	}
	return valid(d.frame.Stream)
}

// part returns a further event of e's record, to be filled in before the next one is asked for. It is e's neighbour: of the
// same workflow, agent, provider and time. One beyond PartsMax is not kept.
func (d *decoder) part(e *Event) *Event {
	p := Event{
		Source: e.Source, StreamID: e.StreamID, Position: e.Position, Part: len(d.parts) + 1, WorkflowID: e.WorkflowID,
		CapturedAt: e.CapturedAt, BronzeSeq: e.BronzeSeq, Digest: e.Digest, AgentID: e.AgentID, Provider: e.Provider, Time: e.Time,
		InputTokens: -1, OutputTokens: -1, CachedTokens: -1, ReasoningTokens: -1, WrittenTokens: -1, HourTokens: -1, CostUSD: -1,
		Disposition: Kept,
		Raw:         e.Raw,
	}
	if len(d.parts) == PartsMax {
		return &p
	}
	d.parts = append(d.parts, p)
	return &d.parts[len(d.parts)-1]
}

// PartsMax bounds the further events of one record.
const PartsMax = 1 << 14

// finish ends the record that e begins: what may be spared, and its further events.
func (d *decoder) finish(e *Event) {
	e.Sheddable = sheddable(e)
	if e.Disposition == Kept {
		d.events = append(d.events, d.parts...)
	}
	clear(d.parts)
	d.parts = d.parts[:0]
}

// Kill makes e a dead event, of which only where it came from and the reason remain.
func (e *Event) Kill(reason string) {
	e.Kind, e.Disposition, e.Reason = KindUnknown, Dead, valid(reason)
}

// text decodes a record of an NDJSON or JSON body. Bytes that are no UTF-8 are replaced, so that one of them does not cost the
// record.
func (d *decoder) text(raw []byte) {
	e := d.add(raw)
	defer d.rescue(len(d.events) - 1)
	raw = validBytes(raw)
	switch v := d.parse(raw); {
	case v == nil:
		e.Kill(whyNotJSON(raw))
	case v.Type() == fastjson.TypeArray && d.tuple(e, v, raw):
		d.finish(e)
	case v.Type() != fastjson.TypeObject:
		e.Kill("JSON " + v.Type().String() + " where an object is expected")
	default:
		d.raw = raw
		d.object(e, v, "")
		d.finish(e)
	}
}

// tuple decodes a record that is an array, if it is an event of LangGraph.
func (d *decoder) tuple(e *Event, v *fastjson.Value, raw []byte) bool {
	mode, payload, ok := formats.LangGraphTuple(v)
	if ok {
		e.Payload = string(raw)
		d.langGraph(e, payload, mode)
	}
	return ok
}

// rescue makes a dead event of the record that begins with the i-th event, if decoding it has panicked: that is a fault of
// this program, and no reason to stop at the same record over and over.
func (d *decoder) rescue(i int) {
	if cause := recover(); cause != nil {
		d.events = d.events[:i+1]
		clear(d.parts)
		d.parts = d.parts[:0]
		e := &d.events[i]
		*e = d.event(e.Position, e.Raw)
		e.Kill(fmt.Sprintf("the decoder failed, which is a fault of this program: %v", cause))
	}
}

// block decodes an event of an SSE body.
func (d *decoder) block(b framing.Block) {
	e := d.add(b.Raw)
	defer d.rescue(len(d.events) - 1)
	b.Data, b.Type = validBytes(b.Data), validBytes(b.Type)
	name := string(b.Type)
	v := d.parse(b.Data)
	graph := name != "" && formats.IsLangGraph(name, v)
	if elements := v.GetArray(); len(elements) == 1 && !graph {
		v = elements[0] // a batch of one
	}
	switch {
	case graph:
		e.Payload = string(b.Data)
		d.langGraph(e, v, name)
	case is(v, fastjson.TypeObject):
		d.raw = b.Data
		d.object(e, v, name)
	case is(v, fastjson.TypeArray):
		e.Payload = string(b.Data)
		e.Kind, e.IntentID = KindSSEEvent, d.intent()
	default:
		e.Payload = quote(b.Data)
		e.IntentID = d.intent()
		decodePlain(e, string(b.Data), name)
	}
	d.finish(e)
}

// parse returns what raw, valid UTF-8, says as JSON, nil if it is none. It is strict, because the payload is handed on to
// readers that are no more lenient than the standard.
func (d *decoder) parse(raw []byte) *fastjson.Value {
	if formats.TooManyValues(raw) {
		return nil
	}
	v, err := d.parser.ParseBytes(raw)
	if err != nil || !formats.ValidParsed(raw) {
		return nil
	}
	if repeatsKeys(v) {
		v, err = d.parser.ParseBytes(keepLast(raw))
	}
	if err != nil {
		return nil
	}
	return v
}

// whyNotJSON explains to the reader of a dead letter why raw was not parsed.
func whyNotJSON(raw []byte) string {
	var v json.RawMessage
	var syntax *json.SyntaxError
	if looksLikeUTF16(raw) {
		return "UTF-16 where UTF-8 is expected; convert it, for instance with iconv -f UTF-16 -t UTF-8"
	}
	if formats.TooManyValues(raw) {
		return fmt.Sprintf("JSON of more than %d values; write several records", formats.ValuesMax)
	}
	if err := json.Unmarshal(raw, &v); errors.As(err, &syntax) {
		return fmt.Sprintf("not JSON: %v at byte %d", syntax, syntax.Offset)
	}
	return fmt.Sprintf("JSON nested deeper than %d levels", fastjson.MaxDepth)
}

// validBytes is b with each byte that is not UTF-8 replaced.
func validBytes(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return bytes.ToValidUTF8(b, []byte("\uFFFD"))
}

// looksLikeUTF16 tells whether every other byte of the beginning is zero, as that of ASCII text in UTF-16 is, or lost its zero
// to a line's end.
func looksLikeUTF16(b []byte) bool {
	b = b[:min(len(b), 64)]
	return len(b) > 0 && bytes.Count(b, []byte{0})*3 >= len(b)
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// quote makes a JSON string of text that is valid UTF-8.
func quote(text []byte) string {
	quoted, err := json.Marshal(string(text))
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(quoted)
}
