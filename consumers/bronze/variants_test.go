package bronze_test

import (
	"fmt"
	"strings"
	"testing"

	"assay/consumers/bronze"
	"assay/streams"
)

// Each way to write a conversation down tells the same of it: what was asked, what was answered with how many tokens, and a tool's
// call with its result.
func TestAConversationIsTheSameHoweverItIsWritten(t *testing.T) {
	span := func(id, name, attributes string) string {
		return `{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"` + id + `","name":"` + name +
			`","startTimeUnixNano":"1767323045000000000","endTimeUnixNano":"1767323046000000000","attributes":[` + attributes + `]}`
	}
	attribute := func(key, value string) string {
		return `{"key":"` + key + `","value":{"stringValue":` + fmt.Sprintf("%q", value) + `}}`
	}
	spans := func(spans ...string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + `]}]}]}`
	}
	for name, lines := range map[string][]string{
		"Claude Code, stream-json": {
			`{"type":"system","subtype":"init","cwd":"/w","session_id":"s-1","tools":["wind"],"model":"m-1","uuid":"u0"}`,
			`{"type":"user","message":{"role":"user","content":"May I fly?"},"session_id":"s-1","parent_tool_use_id":null,"uuid":"u1"}`,
			`{"type":"stream_event","event":{"type":"message_start"},"session_id":"s-1","uuid":"u1b"}`,
			`{"type":"assistant","message":{"id":"msg_1","role":"assistant","model":"m-1","content":[{"type":"tool_use","id":"call_1","name":"wind","input":{}}],` +
				`"usage":{"input_tokens":20,"output_tokens":3}},"session_id":"s-1","parent_tool_use_id":null,"uuid":"u2"}`,
			`{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"9 m/s"}]},"session_id":"s-1","uuid":"u3"}`,
			`{"type":"assistant","message":{"id":"msg_2","role":"assistant","model":"m-1","content":[{"type":"text","text":"You may."}],` +
				`"usage":{"input_tokens":30,"output_tokens":6}},"session_id":"s-1","parent_tool_use_id":null,"uuid":"u4"}`,
			`{"type":"result","subtype":"success","is_error":false,"result":"You may.","session_id":"s-1","total_cost_usd":0.1,"usage":{"output_tokens":9},"uuid":"u5"}`,
		},
		"Codex, history in pages": {
			`{"timestamp":"2026-01-02T03:04:05Z","type":"response_item","payload":{"type":"message","role":"user","content":[{"type":"input_text","text":"May I fly?"}]}}`,
			`{"timestamp":"2026-01-02T03:04:05.1Z","type":"event_msg","payload":{"type":"item_completed","item":{"type":"UserMessage","id":"i1","content":[{"type":"text","text":"May I fly?"}]}}}`,
			`{"timestamp":"2026-01-02T03:04:06Z","type":"turn_context","payload":{"turn_id":"t1","model":"m-1"}}`,
			`{"timestamp":"2026-01-02T03:04:07Z","type":"response_item","payload":{"type":"function_call","name":"wind","arguments":"{}","call_id":"call_1"}}`,
			`{"timestamp":"2026-01-02T03:04:08Z","type":"response_item","payload":{"type":"function_call_output","call_id":"call_1","output":"9 m/s"}}`,
			`{"timestamp":"2026-01-02T03:04:09.1Z","type":"response_item","payload":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"You may."}]}}`,
			`{"timestamp":"2026-01-02T03:04:09.2Z","type":"event_msg","payload":{"type":"item_completed","item":{"type":"AgentMessage","id":"i2","content":[{"type":"Text","text":"You may."}]}}}`,
			`{"timestamp":"2026-01-02T03:04:10Z","type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"total_tokens":59},"last_token_usage":{"input_tokens":50,"output_tokens":9}}}}`,
		},
		"Gemini CLI, tools' answers as the user's": {
			`{"sessionId":"s-1","projectHash":"h"}`,
			`{"id":"g1","timestamp":"2026-01-02T03:04:05Z","type":"user","content":[{"text":"May I fly?"}]}`,
			`{"id":"g2","timestamp":"2026-01-02T03:04:06Z","type":"gemini","content":"","model":"m-1","tokens":{"input":20,"output":3},"toolCalls":[{"id":"call_1","name":"wind","args":{}}]}`,
			`{"id":"g2","timestamp":"2026-01-02T03:04:06Z","type":"gemini","content":"","model":"m-1","tokens":{"input":20,"output":3},"toolCalls":[{"id":"call_1","name":"wind","args":{},` +
				`"status":"success","result":[{"functionResponse":{"id":"call_1","name":"wind","response":{"output":"9 m/s"}}}]}]}`,
			`{"id":"g3","timestamp":"2026-01-02T03:04:07Z","type":"user","content":[{"functionResponse":{"id":"call_1","name":"wind","response":{"output":"9 m/s"}}}]}`,
			`{"id":"g4","timestamp":"2026-01-02T03:04:08Z","type":"gemini","content":"You may.","model":"m-1","tokens":{"input":30,"output":6}}`,
		},
		"Genkit": {spans(
			span("00000000000000a1", "m-1", attribute("genkit:metadata:subtype", "model")+","+attribute("genkit:name", "m-1")+","+
				attribute("genkit:input", `{"messages":[{"role":"user","content":[{"text":"May I fly?"}]}]}`)+","+
				attribute("genkit:output", `{"message":{"role":"model","content":[{"text":"You may."}]},"finishReason":"stop","usage":{"inputTokens":50,"outputTokens":9}}`)),
			span("00000000000000a2", "wind", attribute("genkit:metadata:subtype", "tool")+","+attribute("genkit:name", "wind")+","+
				attribute("genkit:input", "{}")+","+attribute("genkit:output", `"9 m/s"`)),
		)},
		"LiveKit": {spans(
			span("00000000000000a1", "llm_request", attribute("gen_ai.operation.name", "chat")+","+attribute("gen_ai.request.model", "m-1")+","+
				attribute("gen_ai.usage.input_tokens", "50")+","+attribute("gen_ai.usage.output_tokens", "9")+","+
				attribute("lk.chat_ctx", `{"items":[{"id":"i","type":"message","role":"user","content":["May I fly?"]}]}`)+","+attribute("lk.response.text", "You may.")),
			span("00000000000000a2", "function_tool", attribute("lk.function_tool.name", "wind")+","+attribute("lk.function_tool.id", "call_1")+","+
				attribute("lk.function_tool.arguments", "{}")+","+attribute("lk.function_tool.output", "9 m/s")),
		)},
	} {
		t.Run(name, func(t *testing.T) {
			events := bronze.Decode(frameOf(streams.SourceEvent, "s", []byte(strings.Join(lines, "\n")+"\n")), 1)
			got := tellEvents(events)
			check(t, "dead", len(got.dead), 0)
			check(t, "failures", got.failures, 0)
			check(t, "prompts", got.prompts, 1)
			check(t, "calls", got.calls, 1)
			check(t, "results", got.results, 1)
			check(t, "output", got.output, 9)
			check(t, "input", got.input, 50)
			check(t, "models", fmt.Sprint(got.models), "[m-1]")
			said := fmt.Sprint(got.texts)
			for _, want := range []string{"May I fly?", "You may."} {
				if strings.Count(said, want) != 1 {
					t.Errorf("%q is not told once in %s", want, said)
				}
			}
		})
	}
}
