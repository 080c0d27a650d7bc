package gold

import (
	"testing"

	"pgregory.net/rapid"

	"assay/consumers/gold/model"
	"assay/internal/price"
	"assay/streams"
)

// TestOneCallSeenFromTwoSides shows that what a traced program asks of a model through the proxy, and what its telemetry tells of that, is
// one call of the model, with its tokens and its cost once, and one call of the tool, whatever comes first.
func TestOneCallSeenFromTwoSides(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	k := newTalk()
	k.workflow = trace // as the proxy makes it of the request's traceparent
	k.asks("x1", `{"model":"gpt-4o","messages":[{"role":"user","content":"May I fly?"}]}`)
	k.answers("x1", `{"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Let me look at the wind.",`+
		`"tool_calls":[{"id":"call_K","type":"function","function":{"name":"wind","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":20,"completion_tokens":9}}`)
	k.ended("x1", 200, "complete")
	attribute := func(key, value string) string { return `{"key":"` + key + `","value":{"stringValue":"` + value + `"}}` }
	k.workflow = "shop"
	k.add(streams.SourceOTLP, streams.ContentJSON, "otlp/1", "", "", `{"resourceSpans":[{"scopeSpans":[{"spans":[`+
		`{"traceId":"`+trace+`","spanId":"00000000000000a1","name":"chat gpt-4o","startTimeUnixNano":"1767323045000000000","endTimeUnixNano":"1767323046000000000","attributes":[`+
		attribute("gen_ai.operation.name", "chat")+`,`+attribute("gen_ai.request.model", "gpt-4o")+`,{"key":"gen_ai.usage.input_tokens","value":{"intValue":"20"}},`+
		`{"key":"gen_ai.usage.output_tokens","value":{"intValue":"9"}},`+
		attribute("gen_ai.output.messages", `[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"Let me look at the wind.\"},{\"type\":\"tool_call\",\"id\":\"call_K\",\"name\":\"wind\",\"arguments\":{}}]}]`)+`]},`+
		`{"traceId":"`+trace+`","spanId":"00000000000000a2","name":"execute_tool wind","startTimeUnixNano":"1767323047000000000","endTimeUnixNano":"1767323048000000000","attributes":[`+
		attribute("gen_ai.operation.name", "execute_tool")+`,`+attribute("gen_ai.tool.name", "wind")+`,`+attribute("gen_ai.tool.call.id", "call_K")+`,`+attribute("gen_ai.tool.call.result", "9 m/s")+`]}]}]}]}`)
	prices, err := price.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		frames := rapid.Permutation(k.frames).Draw(t, "order")
		store := newMemory()
		opts := testOptions(store)
		opts.Prices = prices
		g := open(t, opts)
		defer g.Close()
		k.deliver(t, g, frames, rapid.IntRange(1, len(frames)).Draw(t, "together"))
		h := hearOf(t, g, store)
		said, tool := h.metrics["gpt-4o"], h.metrics["wind"]
		if said == nil || said.Calls != 1 || said.InputTokens != 20 || said.OutputTokens != 9 || said.CostUSD != (20*2.5+9*10)/1e6 {
			t.Fatalf("the model: %+v", said)
		}
		if tool == nil || tool.Calls != 1 || tool.LatencyP50US < 0 {
			t.Fatalf("the tool: %+v", tool)
		}
		answers, output := 0, int64(0)
		for _, e := range h.entities {
			output += max(e.OutputTokens, 0)
			if e.Kind == model.KindMessage && e.Text == "Let me look at the wind." {
				answers++
			}
			if e.Capability == "wind" && (e.Result == "" || e.WorkflowID != trace) {
				t.Errorf("the tool's call is %+v", e)
			}
		}
		if answers != 1 || output != 9 {
			t.Errorf("%d answers, %d tokens; there are\n%s", answers, output, h)
		}
	})
}
