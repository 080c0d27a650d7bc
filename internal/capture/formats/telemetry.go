package formats

import "github.com/valyala/fastjson"

func isOTLP(v *fastjson.Value, _ string) bool {
	if arrayAt(v, "resourceSpans") || arrayAt(v, "resourceLogs") || arrayAt(v, "resourceMetrics") {
		return true
	}
	if stringAt(v.Get("data", "0"), "traceID") && arrayAt(v.Get("data", "0"), "spans") {
		return true // as Jaeger's queries answer
	}
	batch := v.Get("batches", "0")
	return arrayAt(batch, "instrumentationLibrarySpans") || arrayAt(batch, "scopeSpans") || IsSDKSpan(v) || IsSDKSpan(v.Get("spans", "0")) ||
		IsLangfuse(v)
}

// IsSDKSpan knows a span as an SDK of OpenTelemetry writes it itself, or what was dumped of one.
func IsSDKSpan(v *fastjson.Value) bool {
	if !stringAt(v, "name") || !objectAt(v, "attributes") {
		return false
	}
	switch context := v.Get("context"); {
	case context.Exists("trace_id") && context.Exists("span_id"):
		return v.Exists("start_time")
	case stringAt(v, "traceId"):
		return v.Exists("status") && (v.Exists("startTime") || v.Exists("timestamp"))
	}
	return stringAt(v.Get("_spanContext"), "traceId") || stringAt(v.Get("spanContext"), "traceId")
}

// IsLangfuse knows a trace with its observations as Langfuse exports it.
func IsLangfuse(v *fastjson.Value) bool {
	first := v.Get("observations", "0")
	if first == nil {
		first = v.Get("trace", "observations", "0")
	}
	return stringAt(first, "traceId") && stringAt(first, "type") && first.Exists("startTime")
}
