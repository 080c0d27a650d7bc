package bronze

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
)

// otlp decodes an export of OpenTelemetry, spans or logs or both, as JSON. A span's id is its identity, so that one which
// arrives twice is one. What it tells is taken whichever convention it is written in: see otlpInput and otlpOutput.
//
// A session is told by few spans of a trace; the others take that of the nearest span above them that tells one, then that
// of their trace, as far as the export holds them, and else the trace is the session.
func (d *decoder) otlp(e *Event, v *fastjson.Value) {
	x := export{r: d.record(e, ""), sessions: map[string]string{}, byID: map[string]*span{}}
	for _, resource := range append(v.GetArray("resourceSpans"), v.GetArray("batches")...) {
		x.resource(resource, attributesOf(resource.Get("resource", "attributes")))
	}
	for _, resource := range v.GetArray("resourceLogs") {
		x.resource(resource, attributesOf(resource.Get("resource", "attributes")))
	}
	for _, trace := range v.GetArray("data") {
		for _, s := range trace.GetArray("spans") {
			x.add(newJaegerSpan(s))
		}
	}
	for _, s := range v.GetArray("spans") {
		x.add(newSDKSpan(s))
	}
	switch {
	case formats.IsSDKSpan(v):
		x.add(newSDKSpan(v))
	case formats.IsLangfuse(v):
		x.observations(v)
	}
	x.relate()
	for _, s := range x.spans {
		x.span(s)
	}
	for _, l := range x.logs {
		x.log(l)
	}
	x.r.noteIfNothing()
}

// export is one export while it is decoded.
type export struct {
	r        *record
	spans    []*span
	byID     map[string]*span
	sessions map[string]string // by trace
	logs     []*logRecord
}

// span is one span, and what its attributes say.
type span struct {
	trace, id, parent string
	name, scope       string
	kind              spanKind
	start, end        time.Time
	session           string
	failed            bool
	failure           string
	attributes        attributes
	events            []*fastjson.Value
	resource          attributes
	above             *span     // its parent, if the export has it
	input             []message // what a model was asked, once heard
	heard             bool
	told              bool  // a call of a model below it tells its messages
	models            int   // spans below it that are calls of a model
	model             *span // one of these, an innermost one
}

// logRecord is one log record.
type logRecord struct {
	trace, span, event string
	time               time.Time
	body               *fastjson.Value
	attributes         attributes
	resource           attributes
}

func (x *export) resource(v *fastjson.Value, resource attributes) {
	scopes := v.GetArray("scopeSpans")
	scopes = append(scopes, v.GetArray("instrumentationLibrarySpans")...)
	for _, scope := range append(scopes, v.GetArray("scopeLogs")...) {
		name := cmp.Or(textAt(scope, "scope", "name"), textAt(scope, "instrumentationLibrary", "name"))
		for _, s := range scope.GetArray("spans") {
			x.add(newSpan(s, name, resource))
		}
		for _, l := range scope.GetArray("logRecords") {
			x.logs = append(x.logs, newLogRecord(l, resource))
		}
	}
}

// add takes a span, the first of those with its id.
func (x *export) add(s *span) {
	key := s.key()
	if x.byID[key] != nil {
		return
	}
	x.byID[key] = s
	x.spans = append(x.spans, s)
}

func (s *span) key() string { return s.trace + "/" + s.id }

func newSpan(v *fastjson.Value, scope string, resource attributes) *span {
	s := &span{
		trace: otlpID(text(v, "traceId"), 16), id: otlpID(text(v, "spanId"), 8), parent: otlpID(text(v, "parentSpanId"), 8),
		name: text(v, "name"), scope: scope, start: nanoTime(v.Get("startTimeUnixNano")), end: nanoTime(v.Get("endTimeUnixNano")),
		attributes: attributesOf(v.Get("attributes")), events: v.GetArray("events"), resource: resource,
	}
	code := v.Get("status", "code")
	s.failed = is(code, fastjson.TypeNumber) && code.GetInt() == 2 || string(code.GetStringBytes()) == "STATUS_CODE_ERROR"
	s.failure = textAt(v, "status", "message")
	s.understand()
	return s
}

func (s *span) understand() {
	s.kind = s.classify()
	s.session = s.attributes.text(sessionKeys...)
}

// newJaegerSpan reads a span as Jaeger's queries answer it. Times are in microseconds.
func newJaegerSpan(v *fastjson.Value) *span {
	begun, took := wholeOf(v.Get("startTime")), max(wholeOf(v.Get("duration")), 0)
	s := &span{
		trace: text(v, "traceID"), id: text(v, "spanID"), name: text(v, "operationName"), attributes: jaegerTags(v.Get("tags")),
	}
	if begun > 0 {
		s.start, s.end = within(time.UnixMicro(begun)), within(time.UnixMicro(begun+took))
	}
	for _, reference := range v.GetArray("references") {
		if text(reference, "refType") == "CHILD_OF" {
			s.parent = text(reference, "spanID")
		}
	}
	s.scope = s.attributes.text("otel.scope.name")
	s.failed = s.attributes.text("otel.status_code") == "ERROR"
	s.failure = s.attributes.text("otel.status_description")
	s.understand()
	return s
}

// jaegerTags reads tags as attributes: each value as the AnyValue that it was.
func jaegerTags(tags *fastjson.Value) attributes {
	var arena fastjson.Arena
	all := attributes{}
	for _, tag := range tags.GetArray() {
		if value := tag.Get("value"); value != nil {
			all[string(tag.GetStringBytes("key"))] = anyValue(&arena, value)
		}
	}
	return all
}

func newLogRecord(v *fastjson.Value, resource attributes) *logRecord {
	l := &logRecord{
		trace: otlpID(text(v, "traceId"), 16), span: otlpID(text(v, "spanId"), 8), time: nanoTime(v.Get("timeUnixNano")),
		body: v.Get("body"), attributes: attributesOf(v.Get("attributes")), resource: resource,
	}
	if l.time.IsZero() {
		l.time = nanoTime(v.Get("observedTimeUnixNano"))
	}
	l.event = cmp.Or(text(v, "eventName"), l.attributes.text("event.name", "otel.event.name"))
	return l
}

// sessionKeys are the attributes that name a session, the most telling first.
var sessionKeys = []string{
	"gen_ai.conversation.id", "session.id", "gcp.vertex.agent.session_id", "langfuse.session.id", "conversation.id",
	"traceloop.association.properties.session_id", "traceloop.association.properties.thread_id", "ai.telemetry.metadata.sessionId",
	"langsmith.metadata.session_id", "langsmith.metadata.thread_id", "langsmith.trace.session_id", "mlflow.trace.session",
}

// relate finds the parents of spans, which calls of a model stand below which, and sessions.
func (x *export) relate() {
	for _, s := range x.spans {
		if above := x.byID[s.trace+"/"+s.parent]; s.parent != "" && above != s {
			s.above = above
		}
		if s.session != "" && (x.sessions[s.trace] == "" || s.session < x.sessions[s.trace]) {
			x.sessions[s.trace] = s.session
		}
	}
	for _, s := range x.spans {
		if s.kind != spanModel {
			continue
		}
		told := len(otlpInput(s)) > 0
		for above, steps := s.above, 0; above != nil && above != s && steps < ancestorsMax; above, steps = above.above, steps+1 {
			above.told = above.told || told
			above.models++
			if above.model == nil || above.model.key() > s.key() {
				above.model = s
			}
		}
	}
	for _, s := range x.spans {
		s.session = x.sessionOf(s)
	}
}

// ancestorsMax bounds the way up from a span; parents may be cyclic.
const ancestorsMax = 64

func (x *export) sessionOf(s *span) string {
	for at, steps := s, 0; at != nil && steps < ancestorsMax; at, steps = at.above, steps+1 {
		if told := at.attributes.text(sessionKeys...); told != "" {
			return told
		}
	}
	return cmp.Or(x.sessions[s.trace], s.resource.text(sessionKeys...), s.trace)
}

// otlpID returns an id in hexadecimal; tools that write protobuf's JSON write base64.
func otlpID(id string, bytes int) string {
	if len(id) == 2*bytes || id == "" {
		return id
	}
	if raw, err := base64.StdEncoding.DecodeString(id); err == nil && len(raw) == bytes {
		return hex.EncodeToString(raw)
	}
	return id
}

// nanoTime reads nanoseconds since 1970, a string or a number.
func nanoTime(v *fastjson.Value) time.Time {
	n := wholeOf(v)
	if n <= 0 {
		return time.Time{}
	}
	return within(time.Unix(0, n))
}
