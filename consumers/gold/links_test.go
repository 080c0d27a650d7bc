package gold

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"pgregory.net/rapid"

	"assay/consumers/gold/model"
	"assay/internal/price"
	"assay/sovereign/schema"
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

// Names of the call that three workflows see.
const (
	linkTrace = "0af7651916cd43dd8448eb211c80319c"
	linkSpan  = "b7ad6b7169203331"
	linkCall  = "toolu_01A09q90qw90lq917835lq9"
)

// seen is one call of a tool, seen from a model's conversation, from the session of MCP that carries it out, and from a span, each in a
// workflow of its own. The request of MCP names the call, or the span. A second call, whose id says little, has nothing to do with it.
func seen(meta string) map[string][]*streams.Frame {
	k := newTalk()
	k.workflow = "model"
	k.asks("m1", `{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{"role":"user","content":"Weather?"}]}`)
	k.answers("m1", `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","stop_reason":"tool_use","content":[`+
		`{"type":"tool_use","id":"`+linkCall+`","name":"weather","input":{"city":"Paris"}},{"type":"tool_use","id":"call_2","name":"weather","input":{"city":"Oslo"}}]}`)
	k.workflow = "mcp"
	k.add(streams.SourceJSONRPC, streams.ContentNDJSON, "mcp/client", "", streams.SideClient,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"weather","arguments":{"city":"Paris"},"_meta":{`+meta+"}}}\n")
	k.frames[len(k.frames)-1].Stream = "mcp"
	k.add(streams.SourceJSONRPC, streams.ContentNDJSON, "mcp", "", streams.SideServer, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"18 degrees"}]}}`+"\n")
	k.frames[len(k.frames)-1].Position = 1
	k.workflow = "export"
	k.add(streams.SourceOTLP, streams.ContentJSON, "otlp", "", "", `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"`+linkTrace+`","spanId":"`+linkSpan+
		`","name":"execute_tool weather","startTimeUnixNano":"1790000000000000000","endTimeUnixNano":"1790000001000000000","attributes":[`+
		`{"key":"gen_ai.operation.name","value":{"stringValue":"execute_tool"}},{"key":"gen_ai.tool.name","value":{"stringValue":"weather"}},`+
		`{"key":"gen_ai.conversation.id","value":{"stringValue":"span"}},{"key":"gen_ai.tool.call.id","value":{"stringValue":"`+linkCall+`"}}]}]}]}]}`)
	by := map[string][]*streams.Frame{}
	for _, f := range k.frames {
		by[f.Workflow] = append(by[f.Workflow], f)
	}
	return by
}

// TestOneCallInThreeWorkflows shows that a call of a tool which several workflows see counts once, for who knows most of it, whatever comes
// first, however many partitions there are, and whatever of it is forgotten.
func TestOneCallInThreeWorkflows(t *testing.T) {
	for by, meta := range map[string]string{
		"call": `"claudecode/toolUseId":"` + linkCall + `"`,
		"span": `"traceparent":"00-` + linkTrace + `-` + linkSpan + `-01"`,
	} {
		all := seen(meta)
		t.Run(by, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				var frames []*streams.Frame
				for _, workflow := range []string{"model", "mcp", "export"} {
					frames = append(frames, all[workflow]...)
				}
				frames = rapid.Permutation(slices.Concat(frames, frames[:rapid.IntRange(0, len(frames)).Draw(t, "again")])).Draw(t, "order")
				store := newMemory()
				opts := testOptions(store)
				opts.Partitions = rapid.SampledFrom([]int{1, 2, 5}).Draw(t, "partitions")
				p, err := OpenPartitions(context.Background(), opts)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				for i, group := range slices.Collect(slices.Chunk(frames, rapid.IntRange(1, len(frames)).Draw(t, "together"))) {
					record := refined(t, group)
					err := p.Apply(context.Background(), []Batch{{Seq: uint64(i + 1), Record: record}})
					record.Release()
					if err != nil {
						t.Fatal(err)
					}
				}
				knows := "mcp"
				if by == "span" {
					knows = "span" // which says that the request counts
				}
				checkSeen(t, p, store, map[string]string{"model": knows, "mcp": "", "span": "mcp"})
				forgetFrames(t, p, "mcp", all["mcp"])
				checkSeen(t, p, store, map[string]string{"model": "span", "span": ""})
				forgetFrames(t, p, "span", all["export"])
				checkSeen(t, p, store, map[string]string{"model": ""})
			})
		})
	}
}

// checkSeen checks which workflows see the call and where each says that it counts, and that metrics count it once, besides the other one.
func checkSeen(t tester, p *Partitions, store *memoryStore, want map[string]string) {
	t.Helper()
	if err := p.FlushAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	ids, as := map[string]string{"": ""}, map[string]string{}
	for _, row := range store.tables[schema.Entities] {
		if row["capability"] == "weather" && row["intent_id"] != "call_2" {
			ids[row["workflow_id"]], as[row["workflow_id"]] = row["entity_uuid"], row["counted_as"]
		}
	}
	expect(t, "how many see the call", len(as), len(want))
	for workflow, counts := range want {
		expect(t, "who counts for "+workflow, as[workflow], ids[counts])
	}
	calls := 0
	for sum, counts := range summedUp(t, store, schema.CapabilityMetrics) {
		if strings.Contains(sum, "capability:weather") {
			n := 0
			if _, err := fmt.Sscan(counts[strings.Index(counts, "calls:")+len("calls:"):], &n); err != nil {
				t.Fatal(counts, err)
			}
			calls += n
		}
	}
	if calls != 2 {
		t.Fatalf("%d calls of the tool: %v", calls, summedUp(t, store, schema.CapabilityMetrics))
	}
}

func forgetFrames(t tester, p *Partitions, workflow string, frames []*streams.Frame) {
	t.Helper()
	_, err := p.Forget(context.Background(), workflow, func(context.Context, []string) (*EraseScope, error) {
		return &EraseScope{Through: 1, Rows: func(yield func(arrow.Record, error) bool) {
			record := refined(t, frames)
			defer record.Release()
			yield(record, nil)
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
