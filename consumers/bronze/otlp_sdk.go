package bronze

import (
	"cmp"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
)

// Spans as the SDKs of OpenTelemetry write them themselves: Python's span.to_json, which its console exporter prints, JavaScript's
// ReadableSpan, and what frameworks dump of these. And as Langfuse exports them, as observations.

// newSDKSpan reads a span of an SDK.
func newSDKSpan(v *fastjson.Value) *span {
	context := cmp.Or(v.Get("context"), v.Get("_spanContext"), v.Get("spanContext"), v)
	s := &span{
		trace: sdkID(cmp.Or(context.Get("trace_id"), context.Get("traceId")), 16),
		id:    sdkID(cmp.Or(context.Get("span_id"), context.Get("spanId"), v.Get("id")), 8),
		parent: sdkID(cmp.Or(v.Get("parent_id"), v.Get("parent", "span_id"), v.Get("parentSpanId"), v.Get("parentSpanContext", "spanId"),
			v.Get("parentId")), 8),
		name: text(v, "name"), attributes: attributesOf(v.Get("attributes")), events: v.GetArray("events"),
		scope: cmp.Or(textAt(v, "instrumentationScope", "name"), textAt(v, "instrumentationLibrary", "name"), textAt(v, "instrumentation_scope", "name")),
		start: sdkTime(cmp.Or(v.Get("start_time"), v.Get("startTime"), v.Get("timestamp"))), end: sdkTime(cmp.Or(v.Get("end_time"), v.Get("endTime"))),
		resource: attributesOf(cmp.Or(v.Get("resource", "attributes"), v.Get("resource", "_attributes"))),
	}
	if took := v.Get("duration"); s.end.IsZero() && is(took, fastjson.TypeNumber) {
		s.end = within(s.start.Add(time.Duration(took.GetFloat64()) * time.Microsecond))
	}
	code := cmp.Or(v.Get("status", "status_code"), v.Get("status", "code"))
	s.failed = is(code, fastjson.TypeNumber) && code.GetInt() == 2 || strings.HasSuffix(strings.ToUpper(string(code.GetStringBytes())), "ERROR")
	s.failure = cmp.Or(textAt(v, "status", "description"), textAt(v, "status", "message"))
	s.understand()
	return s
}

// sdkID returns an id of so many bytes in hexadecimal, which some write with 0x before it and some as a decimal number.
func sdkID(v *fastjson.Value, bytes int) string {
	id := scalarText(v)
	if hexadecimal, found := strings.CutPrefix(id, "0x"); found {
		return strings.ToLower(hexadecimal)
	}
	if is(v, fastjson.TypeNumber) || len(id) > 2*bytes {
		if n, ok := new(big.Int).SetString(id, 10); ok && n.Sign() > 0 {
			return fmt.Sprintf("%0*x", 2*bytes, n)
		}
	}
	return otlpID(id, bytes)
}

// sdkTime reads a time: as text, as a number since 1970, or as seconds and nanoseconds.
func sdkTime(v *fastjson.Value) time.Time {
	if pair := v.GetArray(); len(pair) == 2 {
		return within(time.Unix(max(wholeOf(pair[0]), 0), max(wholeOf(pair[1]), 0)))
	}
	if n := wholeOf(v); n > 1e17 { // exactly
		return within(time.Unix(0, n))
	}
	return eventTime(v)
}

// observations reads an export of Langfuse: a trace, and the observations of it.
func (x *export) observations(v *fastjson.Value) {
	trace := cmp.Or(v.Get("trace"), v)
	session := text(trace, "sessionId")
	for _, o := range cmp.Or(v.Get("observations"), trace.Get("observations")).GetArray() {
		x.add(newObservation(o, session))
	}
}

// newObservation reads an observation. Where it came by OpenTelemetry its metadata has the attributes of the span that it was, which tell
// more than what was made of them.
func newObservation(v *fastjson.Value, session string) *span {
	metadata := parsedText(v.Get("metadata"))
	s := &span{
		trace: text(v, "traceId"), id: text(v, "id"), parent: text(v, "parentObservationId"), name: text(v, "name"),
		start: eventTime(v.Get("startTime")), end: eventTime(v.Get("endTime")), attributes: attributesOf(metadata.Get("attributes")),
		resource: attributesOf(metadata.Get("resourceAttributes")), scope: textAt(metadata, "scope", "name"),
		failed: text(v, "level") == "ERROR", failure: text(v, "statusMessage"),
	}
	tell := func(key, value string) {
		if value != "" && s.attributes[key] == nil {
			s.attributes[key] = textValue(value)
		}
	}
	if answer := parsedText(v.Get("output")); text(answer, "type") == "tool" && isString(answer, "tool_call_id") { // LangChain's
		tell("gen_ai.tool.call.id", text(answer, "tool_call_id"))
		tell("langfuse.observation.type", "tool")
	}
	tell("langfuse.observation.type", strings.ToLower(text(v, "type")))
	tell("langfuse.observation.model.name", text(v, "model"))
	tell("langfuse.observation.input", jsonText(v.Get("input")))
	tell("langfuse.observation.output", jsonText(v.Get("output")))
	tell("langfuse.session.id", session)
	tell("gen_ai.usage.cost", scalarText(cmp.Or(v.Get("totalCost"), v.Get("calculatedTotalCost"))))
	if !s.attributes.has("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt") {
		for key, n := range observedTokens(cmp.Or(v.Get("usageDetails"), v.Get("usage"))) {
			tell(key, scalarCount(n))
		}
	}
	s.understand()
	return s
}

// observedTokens are the counts that Langfuse keeps. Some of its clients take cached input and reasoning out of input and output,
// which the total shows.
func observedTokens(usage *fastjson.Value) map[string]int64 {
	input, output, total := count(usage, "input"), count(usage, "output"), count(usage, "total")
	first := func(keys ...string) int64 {
		for _, key := range keys {
			if n := count(usage, key); n >= 0 {
				return n
			}
		}
		return -1
	}
	cached := first("input_cache_read", "input_cached_tokens", "cache_read_input_tokens", "prompt_details.cache_read")
	written := first("input_cache_creation", "cache_creation_input_tokens", "prompt_details.cache_write")
	reasoning := first("output_reasoning", "output_reasoning_tokens", "completion_details.reasoning")
	if apart := max(cached, 0) + max(written, 0) + max(reasoning, 0); apart > 0 && input >= 0 && output >= 0 && input+output+apart == total {
		input, output = input+max(cached, 0)+max(written, 0), output+max(reasoning, 0)
	}
	return map[string]int64{
		"gen_ai.usage.input_tokens": input, "gen_ai.usage.output_tokens": output, "gen_ai.usage.cache_read.input_tokens": cached,
		"gen_ai.usage.cache_creation.input_tokens": written, "gen_ai.usage.reasoning.output_tokens": reasoning,
	}
}

func scalarCount(n int64) string {
	if n < 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// parsedText is the JSON that a text is, or another value as it is.
func parsedText(v *fastjson.Value) *fastjson.Value {
	if !is(v, fastjson.TypeString) {
		return v
	}
	text := v.GetStringBytes()
	parsed, err := formats.Parse(text)
	if err != nil || !formats.ValidParsed(text) {
		return nil
	}
	return parsed
}

// plainAttributes reads attributes that are the members of an object, as the AnyValues that they were.
func plainAttributes(v *fastjson.Value) attributes {
	var arena fastjson.Arena
	members := v.GetObject()
	all := make(attributes, members.Len())
	members.Visit(func(key []byte, value *fastjson.Value) {
		if !is(value, fastjson.TypeNull) {
			all[string(key)] = anyValue(&arena, value)
		}
	})
	return all
}

// anyValue is a value as the AnyValue that it was. Lists and objects are texts of JSON, as most SDKs have them.
func anyValue(arena *fastjson.Arena, value *fastjson.Value) *fastjson.Value {
	switch {
	case is(value, fastjson.TypeString):
	case is(value, fastjson.TypeArray), is(value, fastjson.TypeObject):
		return textValue(render(value))
	default:
		value = arena.NewString(compact(value))
	}
	wrapped := arena.NewObject()
	wrapped.Set("stringValue", value)
	return wrapped
}

// textValue is an AnyValue that is a text.
func textValue(text string) *fastjson.Value {
	value, err := fastjson.ParseBytes(append(appendQuoted([]byte(`{"stringValue":`), []byte(text)), '}'))
	if err != nil {
		panic(err) // a quoted text is always JSON
	}
	return value
}
