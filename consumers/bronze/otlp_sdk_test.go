package bronze_test

import (
	"fmt"
	"testing"
	"time"

	"assay/consumers/bronze"
	"assay/internal/capture/framing"
	"assay/streams"
)

// One call of a model, as each SDK and tool writes it down: Python's console exporter, one object laid out for people after the other;
// JavaScript's, with times as pairs, or as its console exporter has them; and ids as decimal numbers.
func TestASpanIsTheSameWhoeverWritesIt(t *testing.T) {
	const attributes = `{"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.output_tokens": 7,
        "gen_ai.input.messages": "[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"Hi\"}]}]", "gen_ai.conversation.id": "c"}`
	for name, body := range map[string]string{
		"python": `{
    "name": "chat m",
    "context": {
        "trace_id": "0x0af7651916cd43dd8448eb211c80319c",
        "span_id": "0x00f067aa0ba902b7",
        "trace_state": "[]"
    },
    "kind": "SpanKind.CLIENT",
    "parent_id": "0x00f067aa0ba902b6",
    "start_time": "2026-01-02T03:04:05.250000Z",
    "end_time": "2026-01-02T03:04:06.250000Z",
    "status": {
        "status_code": "ERROR",
        "description": "no"
    },
    "attributes": ` + attributes + `,
    "events": [],
    "links": [],
    "resource": {
        "attributes": {"service.name": "s"},
        "schema_url": ""
    }
}
{
    "name": "other",
    "context": {
        "trace_id": "0x0af7651916cd43dd8448eb211c80319c",
        "span_id": "0x00f067aa0ba902b6"
    },
    "parent_id": null,
    "start_time": "2026-01-02T03:04:05.250000Z",
    "end_time": "2026-01-02T03:04:06.250000Z",
    "status": {"status_code": "UNSET"},
    "attributes": {}
}
`,
		"javascript": `{"name":"chat m","_spanContext":{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"00f067aa0ba902b7","traceFlags":1},
			"parentSpanId":"00f067aa0ba902b6","startTime":[1767323045,250000000],"endTime":[1767323046,250000000],"status":{"code":2,"message":"no"},
			"attributes":` + attributes + `,"resource":{"_attributes":{"service.name":"s"}}}`,
		"javascript's console": `{"resource":{"attributes":{"service.name":"s"}},"traceId":"0af7651916cd43dd8448eb211c80319c",
			"parentSpanContext":{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"00f067aa0ba902b6"},"name":"chat m","id":"00f067aa0ba902b7","kind":2,
			"timestamp":1767323045250000,"duration":1000000,"status":{"code":2,"message":"no"},"attributes":` + attributes + `}`,
		"numbers": `{"spans":[{"name":"chat m","context":{"trace_id":14576827793038113322513871894673895836,"span_id":67667974448284343},
			"parent":{"trace_id":14576827793038113322513871894673895836,"span_id":67667974448284342},"start_time":1767323045250000000,"end_time":1767323046250000000,
			"status":{"status_code":"error","description":"no"},"attributes":` + attributes + `}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := frameOf(streams.SourceOTLP, "s", []byte(body))
			f.ContentType, f.Count = streams.ContentJSON, framing.Count(framing.JSON, []byte(body), true)
			told := map[string]bronze.Event{}
			for _, e := range bronze.Decode(f, 1) {
				told[fmt.Sprint(e.Kind, e.Role, e.Phase)] = e
			}
			const id = "0af7651916cd43dd8448eb211c80319c/00f067aa0ba902b7"
			answer, asked := told["messageassistantend"], told["messageuserend"]
			start := time.Date(2026, 1, 2, 3, 4, 5, 250e6, time.UTC)
			if answer.EventID != id || answer.WorkflowID != "c" || answer.OutputTokens != 7 || answer.Capability != "m" || answer.Error != "no" ||
				!answer.Time.Equal(start.Add(time.Second)) || asked.Text != "Hi" || !asked.Time.Equal(start) {
				t.Errorf("the answer is %+v, the question %+v", answer, asked)
			}
		})
	}
}
