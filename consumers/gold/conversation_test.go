package gold

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"pgregory.net/rapid"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
	"assay/consumers/silver"
	"assay/internal/capture/framing"
	"assay/sovereign/schema"
	"assay/streams"
)

// What is said here is given as frames, as capture makes them, and must come out as entities: of decoding, identities and
// folding together.

// talk is the frames of HTTP exchanges and other streams of one workflow.
type talk struct {
	workflow string
	frames   []*streams.Frame
	clock    time.Time
}

func newTalk() *talk {
	return &talk{workflow: "chat", clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// add adds a stream in as many frames as it has bodies.
func (k *talk) add(source streams.Source, contentType, stream, exchange string, side streams.Side, bodies ...string) {
	format, err := framing.FormatOf(contentType)
	if err != nil {
		panic(err)
	}
	position := 0
	for _, body := range bodies {
		k.clock = k.clock.Add(time.Second)
		n := framing.Count(format, []byte(body), position == 0)
		k.frames = append(k.frames, &streams.Frame{
			Source: source, Workflow: k.workflow, ContentType: contentType, Stream: stream, Exchange: exchange, Side: side,
			Position: uint64(position), Count: n, Captured: k.clock, Body: []byte(body),
		})
		position += n
	}
}

// asks adds the request of an exchange, says the pieces of its answer's stream, answers a whole answer, ended how it ended.
func (k *talk) asks(exchange, body string) {
	k.add(streams.SourceEvent, streams.ContentJSON, exchange+"/client", exchange, "", body)
}

func (k *talk) says(exchange string, events ...string) {
	for i, data := range events {
		events[i] = "data: " + data + "\n\n"
	}
	k.add(streams.SourceSSE, streams.ContentSSE, exchange+"/server", exchange, "", events...)
}

func (k *talk) answers(exchange, body string) {
	k.add(streams.SourceEvent, streams.ContentJSON, exchange+"/server", exchange, "", body)
}

func (k *talk) ended(exchange string, status int, end string) {
	began, ended := k.clock.Add(-2*time.Second), k.clock
	k.add(streams.SourceHTTP, streams.ContentJSON, exchange+"/http", exchange, "", fmt.Sprintf(
		`{"exchange":%q,"method":"POST","path":"/v1/chat/completions","status":%d,"started_at":%q,"ended_at":%q,"end":%q}`,
		exchange, status, began.Format(time.RFC3339Nano), ended.Format(time.RFC3339Nano), end))
}

// deliver folds frames in the order given, some at a time.
func (k *talk) deliver(t tester, g *Gold, frames []*streams.Frame, together int) {
	t.Helper()
	seq := uint64(0)
	for group := range slices.Chunk(frames, together) {
		record := refined(t, group)
		seq++
		err := g.Apply(context.Background(), []Batch{{Seq: seq, Record: record}})
		record.Release()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// refined makes rows of Silver of frames.
func refined(t tester, frames []*streams.Frame) arrow.Record {
	t.Helper()
	opts := silver.DefaultOptions()
	opts.Keys = &bronze.Keys{}
	opts.Decoder = bronze.NewDecoder()
	batch := opts.NewBatch()
	defer batch.Release()
	for _, f := range frames {
		m := f.Msg()
		for _, e := range opts.Events(streams.Message{Subject: m.Subject, Header: m.Header, Data: m.Data, Seq: 1}) {
			batch.Append(&e)
		}
	}
	record, err := batch.Record()
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// heard is what came of a talk.
type heard struct {
	t        tester
	entities []*Entity
	metrics  map[string]*Metric
	episodes []string
}

func (k *talk) hear(t tester) *heard {
	t.Helper()
	store := newMemory()
	g := open(t, testOptions(store))
	defer g.Close()
	k.deliver(t, g, k.frames, 3)
	return hearOf(t, g, store)
}

func hearOf(t tester, g *Gold, store *memoryStore) *heard {
	t.Helper()
	h := &heard{t: t, metrics: map[string]*Metric{}}
	if err := g.FlushAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	err := state.Scan(g.db, []byte{model.KeyOrdinal}, func(k, _ []byte) (bool, error) {
		e, err := g.Entity(model.LastID(k))
		h.entities = append(h.entities, e)
		return err == nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range g.Metrics() {
		if err != nil {
			t.Fatal(err)
		}
		if was := h.metrics[m.Capability]; was != nil && was.Provider != m.Provider {
			t.Fatalf("%s has metrics of %q and of %q", m.Capability, was.Provider, m.Provider)
		}
		h.metrics[m.Capability] = m
	}
	for _, row := range store.tables[schema.Episodes] {
		h.episodes = append(h.episodes, fmt.Sprint(row["kind"], ": ", row["text"]))
	}
	slices.Sort(h.episodes)
	return h
}

// one returns the only entity that is as wanted.
func (h *heard) one(what string, wanted func(*Entity) bool) *Entity {
	h.t.Helper()
	var found []*Entity
	for _, e := range h.entities {
		if wanted(e) {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		h.t.Fatalf("%d entities are %s; there are\n%s", len(found), what, h)
	}
	return found[0]
}

func (h *heard) message(role, text string) *Entity {
	h.t.Helper()
	return h.one(role+" saying "+text, func(e *Entity) bool { return e.Kind == model.KindMessage && e.Role == role && e.Text == text })
}

func (h *heard) call(capability string) *Entity {
	h.t.Helper()
	return h.one("calls of "+capability, func(e *Entity) bool { return e.Capability == capability })
}

func (h *heard) String() string {
	var b strings.Builder
	for _, e := range h.entities {
		fmt.Fprintf(&b, "%s %s %s %s %q error %q request %s result %.200s\n", e.Kind, e.Role, e.Capability, e.Status, e.Text, e.Error, e.Request, e.Result)
	}
	return b.String()
}

func expect[T comparable](t tester, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s is %v, want %v", what, got, want)
	}
}

func chunk(delta, finish string) string {
	if finish != "" {
		finish = `"` + finish + `"`
	} else {
		finish = "null"
	}
	return `{"id":"c","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]}`
}

const usageChunk = `{"id":"c","object":"chat.completion.chunk","model":"m-1","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":9,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}`

const (
	opening1 = `{"role":"system","content":"You are a pilot."},{"role":"user","content":"May I fly my kite in Bergen?"}`
	turn1    = `,{"role":"assistant","content":"Let me look.","tool_calls":[{"id":"call_K","type":"function","function":{"name":"wind","arguments":"{\"place\":\"Bergen\"}"}}]},{"role":"tool","tool_call_id":"call_K","content":"9 m/s"}`
	turn2    = `,{"role":"assistant","content":"Yes, there is wind."},{"role":"user","content":"Thanks"}`
)

// flight is a conversation of three requests with a tool call, each of which repeats what was said before.
func flight() *talk { return flightOf("chat", "x") }

func flightOf(workflow, x string) *talk {
	k := newTalk()
	k.workflow = workflow
	k.asks(x+"1", `{"model":"m-1","stream":true,"temperature":0.5,"messages":[`+opening1+`]}`)
	k.says(x+"1", chunk(`{"role":"assistant","content":"Let me"}`, ""), chunk(`{"content":" look."}`, ""),
		chunk(`{"tool_calls":[{"index":0,"id":"call_K","type":"function","function":{"name":"wind","arguments":"{\"place\":"}}]}`, ""),
		chunk(`{"tool_calls":[{"index":0,"function":{"arguments":"\"Bergen\"}"}}]}`, ""), chunk(`{}`, "tool_calls"), usageChunk, "[DONE]")
	k.ended(x+"1", 200, "complete")
	k.asks(x+"2", `{"model":"m-1","messages":[`+opening1+turn1+`]}`)
	k.says(x+"2", chunk(`{"role":"assistant","content":"Yes, "}`, ""), chunk(`{"content":"there is wind."}`, "stop"), "[DONE]")
	k.ended(x+"2", 200, "complete")
	k.asks(x+"3", `{"model":"m-1","messages":[`+opening1+turn1+turn2+`]}`)
	k.answers(x+"3", `{"error":{"message":"slow down","type":"rate_limit_error"}}`)
	k.ended(x+"3", 429, "complete")
	return k
}

func checkFlight(t tester, h *heard) {
	t.Helper()
	for role, text := range map[string]string{"system": "You are a pilot.", "user": "May I fly my kite in Bergen?"} {
		expect(t, role, h.message(role, text).Status, "ok")
	}
	h.message("user", "Thanks")
	first := h.message("assistant", "Let me look.")
	expect(t, "the model", first.Capability, "m-1")
	expect(t, "how the first answer ended", first.Status+" "+first.FinishReason, "ok tool_calls")
	expect(t, "tokens", fmt.Sprint(first.InputTokens, first.OutputTokens, first.CachedTokens, first.ReasoningTokens), "20 9 4 2")
	expect(t, "clock", first.Clock, model.ClockOwn)
	expect(t, "settings", first.Request, `{"model":"m-1","stream":true,"temperature":0.5}`)
	h.message("assistant", "Yes, there is wind.")
	tool := h.call("wind")
	expect(t, "tool call", fmt.Sprint(tool.Kind, " ", tool.Status, " ", tool.IntentID, " ", tool.Request, " ", tool.Text), `call ok call_K {"place":"Bergen"} 9 m/s`)
	if tool.LatencyUS <= 0 {
		t.Fatalf("the tool took %d µs", tool.LatencyUS)
	}
	failed := h.one("failed", func(e *Entity) bool { return e.Status == "error" })
	expect(t, "error", failed.Error, "slow down")
	said, wind := h.metrics["m-1"], h.metrics["wind"]
	expect(t, "uses of the model", fmt.Sprint(said.Kind, said.Calls, said.Errors, said.InputTokens, said.OutputTokens), "model3 1 20 9")
	expect(t, "uses of the tool", fmt.Sprint(wind.Kind, wind.Calls, wind.Errors), "tool1 0")
	expect(t, "echoes", len(slices.DeleteFunc(slices.Clone(h.entities), func(e *Entity) bool { return e.Kind != model.KindEcho })), 2)
	expect(t, "episodes", strings.Join(h.episodes, "\n"), strings.Join([]string{
		"error: slow down", "message: Let me look.", "message: May I fly my kite in Bergen?", "message: Thanks", "message: Yes, there is wind.",
		"message: You are a pilot.", `tool_call: wind {"place":"Bergen"}`, "tool_result: 9 m/s",
	}, "\n"))
}

func TestConversationIsWhole(t *testing.T) { checkFlight(t, flight().hear(t)) }

// Whatever comes first, and however often, the conversation is the same.
func TestConversationInAnyOrder(t *testing.T) {
	straight := open(t, testOptions(newMemory()))
	defer straight.Close()
	k := flight()
	k.deliver(t, straight, k.frames, len(k.frames))
	want := dump(t, straight)
	rapid.Check(t, func(t *rapid.T) {
		store := newMemory()
		g := open(t, testOptions(store))
		defer g.Close()
		frames := rapid.Permutation(k.frames).Draw(t, "order")
		again := rapid.SliceOfN(rapid.SampledFrom(k.frames), 0, 3).Draw(t, "again")
		k.deliver(t, g, append(frames, again...), rapid.IntRange(1, 6).Draw(t, "together"))
		checkFlight(t, hearOf(t, g, store))
		got := dump(t, g)
		if !maps.Equal(got, want) {
			for key, value := range got {
				if want[key] != value {
					t.Logf("%q is %q, want %q", key, value, want[key])
				}
			}
			t.Fatalf("the state differs: %d records, want %d", len(got), len(want))
		}
	})
}

// A conversation that is forgotten leaves nothing behind, neither of what was said nor of where arguments are.
func TestForgettingAConversation(t *testing.T) {
	chat, other := flight(), flightOf("other", "y")
	never := open(t, testOptions(newMemory()))
	defer never.Close()
	other.deliver(t, never, other.frames, 2)
	store := newMemory()
	g := open(t, testOptions(store))
	defer g.Close()
	chat.deliver(t, g, slices.Concat(chat.frames, other.frames), 4)
	if err := g.FlushAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, err := g.Forget(context.Background(), chat.workflow, func(context.Context, []string) (*EraseScope, error) {
		return &EraseScope{Through: 1, Rows: func(yield func(arrow.Record, error) bool) {
			record := refined(t, chat.frames)
			defer record.Release()
			yield(record, nil)
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, want := dump(t, g), dump(t, never)
	for _, kind := range []byte{model.KeySaid, model.KeyAsked, model.KeyUnsaid} {
		for of, all := range map[*Gold]map[string]string{g: got, never: want} {
			if err := state.Scan(of.db, []byte{kind}, func(k, v []byte) (bool, error) {
				all[string(k)] = string(v)
				return true, nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for k, v := range got {
		if strings.HasPrefix(k, string(model.KeyWatermark)) {
			continue // how far a stream has come is not forgotten
		}
		if want[k] != v {
			t.Errorf("%q is %q, want %q", k, v, want[k])
		}
	}
	checkFlight(t, hearOf(t, g, store))
}

// A crash after the commit that brings an answer, before what it said is noted, loses nothing.
func TestWhatWasSaidIsNotedAfterACrash(t *testing.T) {
	store := newMemory()
	opts := testOptions(store)
	opts.Fault = crashAt(state.AfterCommit, 1)
	k, g := flight(), open(t, opts)
	record := refined(t, k.frames)
	defer record.Release()
	if err := g.Apply(context.Background(), []Batch{{Seq: 1, Record: record}}); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Fault = nil
	g = open(t, opts)
	defer g.Close()
	checkFlight(t, hearOf(t, g, store))
}

// An answer that was never captured is known from the history alone, and stays a message.
func TestHistoryWithoutItsAnswers(t *testing.T) {
	k := newTalk()
	k.asks("x9", `{"model":"m-1","messages":[`+opening1+turn1+turn2+`]}`)
	h := k.hear(t)
	h.message("assistant", "Let me look.")
	h.message("assistant", "Yes, there is wind.")
	tool := h.call("wind")
	expect(t, "tool call", fmt.Sprint(tool.Status, " ", tool.Request, " ", tool.Text, " ", tool.LatencyUS), `ok {"place":"Bergen"} 9 m/s -1`)
}

func TestHowAnswersEnd(t *testing.T) {
	hello := chunk(`{"role":"assistant","content":"Hello"}`, "")
	for name, tt := range map[string]struct {
		events []string
		status int
		end    string
		want   string // status and the beginning of the error
	}{
		"with its end marker":    {[]string{hello, chunk(`{}`, "stop"), "[DONE]"}, 200, "complete", "ok "},
		"without finish reason":  {[]string{hello, "[DONE]"}, 200, "complete", "error the answer ended without"},
		"without end marker":     {[]string{hello}, 200, "complete", "error the answer ended without"},
		"upstream breaks off":    {[]string{hello}, 200, "upstream_cut", "error the exchange ended with upstream_cut"},
		"client leaves":          {[]string{hello}, 200, "client_left", "cancelled the client left"},
		"client leaves after it": {[]string{hello, chunk(`{}`, "stop")}, 200, "client_left", "ok "},
		"an error within":        {[]string{hello, `{"error":{"message":"overloaded","code":502}}`}, 200, "complete", "error overloaded"},
		"nothing but a status":   {nil, 503, "complete", "error HTTP 503 Service Unavailable"},
		"nobody there":           {nil, 0, "unreachable", "error the exchange ended with unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTalk()
			k.asks("x", `{"model":"m-1","messages":[{"role":"user","content":"Hi"}]}`)
			k.says("x", tt.events...)
			k.ended("x", tt.status, tt.end)
			e := k.hear(t).call("m-1")
			if got := e.Status + " " + e.Error; !strings.HasPrefix(got, tt.want) || (tt.want == "ok ") != (e.Error == "") {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// What every provider calls its own, a request and its answer are one call, with the user's words apart.
func TestEveryProvidersRequestsAndCalls(t *testing.T) {
	for name, tt := range map[string]struct {
		request, answer, next string
		model, toolID         string
	}{
		"Anthropic Messages": {
			`{"model":"claude-x","max_tokens":9,"system":[{"type":"text","text":"Be kind.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}]}`,
			`{"type":"message","role":"assistant","model":"claude-x","stop_reason":"tool_use","content":[{"type":"text","text":"Looking"},{"type":"tool_use","id":"toolu_1","name":"look","input":{"at":"sky"}}],"usage":{"input_tokens":3,"output_tokens":4,"cache_read_input_tokens":2}}`,
			`{"model":"claude-x","max_tokens":9,"system":"Be kind.","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"Looking"},{"type":"tool_use","id":"toolu_1","name":"look","input":{"at":"sky"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"blue"}]}]}]}`,
			"claude-x", "toolu_1",
		},
		"Responses": {
			`{"model":"gpt-r","instructions":"Be kind.","input":"Hi"}`,
			`{"object":"response","id":"resp_1","model":"gpt-r","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"Looking"}]},{"type":"function_call","call_id":"call_1","name":"look","arguments":"{\"at\":\"sky\"}"}],"usage":{"input_tokens":5,"output_tokens":4,"input_tokens_details":{"cached_tokens":2}}}`,
			`{"model":"gpt-r","previous_response_id":"resp_1","input":[{"type":"function_call_output","call_id":"call_1","output":"blue"}]}`,
			"gpt-r", "call_1",
		},
		"Gemini": {
			`{"systemInstruction":{"parts":[{"text":"Be kind."}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}`,
			`{"candidates":[{"content":{"role":"model","parts":[{"text":"Looking"},{"functionCall":{"name":"look","args":{"at":"sky"}}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":4,"cachedContentTokenCount":2},"modelVersion":"gemini-x"}`,
			`{"contents":[{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Looking"},{"functionCall":{"name":"look","args":{"at": "sky"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"look","response":{"result":"blue"}}}]}]}`,
			"gemini-x", "",
		},
		"Cohere": {
			`{"model":"command-x","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"}]}`,
			`{"id":"1","finish_reason":"TOOL_CALL","message":{"role":"assistant","content":[{"type":"text","text":"Looking"}],"tool_calls":[{"id":"look_1","type":"function","function":{"name":"look","arguments":"{\"at\":\"sky\"}"}}]},"usage":{"tokens":{"input_tokens":5,"output_tokens":4}}}`,
			`{"model":"command-x","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"},{"role":"assistant","tool_calls":[{"id":"look_1","type":"function","function":{"name":"look","arguments":"{\"at\":\"sky\"}"}}]},{"role":"tool","tool_call_id":"look_1","content":[{"type":"document","document":{"data":"blue"}}]}]}`,
			"command-x", "look_1",
		},
		"Bedrock Converse": {
			`{"modelId":"nova","system":[{"text":"Be kind."}],"inferenceConfig":{"maxTokens":9},"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`,
			`{"output":{"message":{"role":"assistant","content":[{"text":"Looking"},{"toolUse":{"toolUseId":"tooluse_1","name":"look","input":{"at":"sky"}}}]}},"stopReason":"tool_use","usage":{"inputTokens":3,"outputTokens":4,"cacheReadInputTokens":2}}`,
			`{"modelId":"nova","system":[{"text":"Be kind."}],"inferenceConfig":{},"messages":[{"role":"user","content":[{"text":"Hi"}]},{"role":"assistant","content":[{"text":"Looking"},{"toolUse":{"toolUseId":"tooluse_1","name":"look","input":{"at":"sky"}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"tooluse_1","content":[{"text":"blue"}]}}]}]}`,
			"nova", "tooluse_1",
		},
		"Ollama": {
			`{"model":"llama","stream":false,"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"}]}`,
			`{"model":"llama","created_at":"2026-01-02T03:04:05Z","message":{"role":"assistant","content":"Looking","tool_calls":[{"function":{"name":"look","arguments":{"at":"sky"}}}]},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":4}`,
			`{"model":"llama","keep_alive":"5m","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Looking","tool_calls":[{"function":{"name":"look","arguments":{"at":"sky"}}}]},{"role":"tool","tool_name":"look","content":"blue"}]}`,
			"llama", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTalk()
			k.asks("x1", tt.request)
			k.answers("x1", tt.answer)
			k.ended("x1", 200, "complete")
			k.asks("x2", tt.next)
			h := k.hear(t)
			h.message("system", "Be kind.")
			h.message("user", "Hi")
			e := h.message("assistant", "Looking")
			expect(t, "the answer", fmt.Sprint(e.Capability, " ", e.Status, " ", e.IntentID, " ", e.InputTokens, " ", e.OutputTokens), tt.model+" ok x1 5 4")
			tool := h.call("look")
			expect(t, "the tool", tool.Status+" "+tool.Text, "ok "+map[bool]string{true: `{"result":"blue"}`, false: "blue"}[name == "Gemini"])
			if tool.Request != `{"at":"sky"}` || tt.toolID != "" && tool.IntentID != tt.toolID {
				t.Errorf("call %s with %s", tool.IntentID, tool.Request)
			}
			expect(t, "uses of the tool", fmt.Sprint(h.metrics["look"].Calls, " ", h.metrics["look"].Kind), "1 tool")
		})
	}
}

func TestToolCallsThatAServerTellsApartByIDOnly(t *testing.T) {
	piece := func(id, name, arguments string) string {
		return chunk(fmt.Sprintf(`{"tool_calls":[{"index":0,"id":%q,"function":{"name":%q,"arguments":%q}}]}`, id, name, arguments), "")
	}
	k := newTalk()
	k.says("x", piece("call_1", "a", `{"n":`), piece("call_1", "", `1}`), piece("call_2", "b", ``), chunk(`{}`, "tool_calls"))
	h := k.hear(t)
	expect(t, "calls", h.message("assistant", "").Result,
		`[{"id":"call_1","name":"a","arguments":"{\"n\":1}"},{"id":"call_2","name":"b","arguments":"{}"}]`)
	expect(t, "arguments", h.call("a").Request+h.call("b").Request, `{"n":1}{}`)
}

func TestChoicesStayApart(t *testing.T) {
	choice := func(n int, text, finish string) string {
		return fmt.Sprintf(`{"object":"chat.completion.chunk","model":"m-1","choices":[{"index":%d,"delta":{"content":%q},"finish_reason":%q}]}`, n, text, finish)
	}
	k := newTalk()
	k.says("x", choice(1, "B", "length"), choice(0, "A", "stop"), "[DONE]")
	e := k.hear(t).call("m-1")
	expect(t, "text", e.Text+" "+e.FinishReason, "A\n\nB stop")
	expect(t, "choices", e.Result, `[{"choice":0,"text":"A","finish_reason":"stop"},{"choice":1,"text":"B","finish_reason":"length"}]`)
}

func TestRequestsOfJSONRPCDoNotMix(t *testing.T) {
	call := func(id, tool string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"` + tool + `"}}` + "\n"
	}
	answer := func(id, text string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"result":{"content":[{"type":"text","text":"` + text + `"}]}}` + "\n"
	}
	t.Run("ids of a session", func(t *testing.T) {
		k := newTalk()
		k.add(streams.SourceJSONRPC, streams.ContentNDJSON, "s", "", "", call("1", "int")+call(`"1"`, "str")+call(`""`, "empty")+call(`"A"`, "upper")+
			call(`"a"`, "lower")+answer(`"a"`, "l")+answer(`"A"`, "u")+answer(`""`, "e")+answer(`"1"`, "s")+answer("1", "i"))
		h := k.hear(t)
		for tool, want := range map[string]string{"int": "i", "str": "s", "empty": "e", "upper": "u", "lower": "l"} {
			expect(t, tool, h.call(tool).Text, want)
		}
		expect(t, "calls", len(h.entities), 5)
	})
	t.Run("at the same time over HTTP", func(t *testing.T) {
		k := newTalk()
		for x, tool := range map[string]string{"x1": "p", "x2": "q"} {
			k.add(streams.SourceJSONRPC, streams.ContentJSON, "session", x, streams.SideClient, call("1", tool))
			k.add(streams.SourceJSONRPC, streams.ContentJSON, "session", x, streams.SideServer, answer("1", "for "+tool))
		}
		h := k.hear(t)
		expect(t, "p", h.call("p").Text+" "+h.call("q").Text, "for p for q")
	})
	t.Run("an id used twice", func(t *testing.T) {
		k := newTalk()
		k.add(streams.SourceJSONRPC, streams.ContentNDJSON, "s", "", "", call("1", "first")+answer("1", "one")+call("1", "second")+answer("1", "two"))
		e := k.hear(t).call("first")
		if e.Text != "" || !strings.Contains(e.Error, "2 requests") {
			t.Errorf("it says %q and %q", e.Text, e.Error)
		}
	})
	t.Run("cancelled, and a late error", func(t *testing.T) {
		k := newTalk()
		k.add(streams.SourceJSONRPC, streams.ContentNDJSON, "s", "", "", call("2", "slow")+
			`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2,"reason":"user stopped"}}`+"\n"+
			`{"jsonrpc":"2.0","id":2,"error":{"code":0,"message":"Request cancelled"}}`+"\n")
		h := k.hear(t)
		e := h.call("slow")
		expect(t, "call", e.Status+" "+e.Error, "cancelled user stopped")
		expect(t, "errors", h.metrics["slow"].Errors, 0)
	})
	t.Run("progress", func(t *testing.T) {
		k := newTalk()
		k.add(streams.SourceJSONRPC, streams.ContentNDJSON, "s", "", "", call("3", "long")+
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":3,"progress":1,"message":"half"}}`+"\n"+answer("3", "done"))
		h := k.hear(t)
		expect(t, "entities", fmt.Sprint(len(h.entities), h.call("long").Text, len(h.metrics)), "1done1")
	})
	t.Run("a priming event makes no message", func(t *testing.T) {
		k := newTalk()
		k.add(streams.SourceSSE, streams.ContentSSE, "s", "", streams.SideServer, "id: 0\nretry: 1000\ndata: \n\n",
			"event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"hi\"}}\n\n")
		h := k.hear(t)
		expect(t, "kind", fmt.Sprint(h.entities[0].Kind, len(h.entities), len(h.metrics)), "session1 0")
	})
}

// Two requests that go on from different answers may say the same, which then was said twice.
func TestTheSameSaidAgain(t *testing.T) {
	k := newTalk()
	k.asks("x1", `{"model":"m-1","previous_response_id":"r1","input":"yes"}`)
	k.asks("x2", `{"model":"m-1","previous_response_id":"r2","input":"yes"}`)
	k.asks("x3", `{"model":"m-1","messages":[{"role":"user","content":"no"},{"role":"assistant","content":"Sure?"},{"role":"user","content":"no"}]}`)
	k.asks("x4", `{"model":"m-1","messages":[{"role":"user","content":"no"},{"role":"assistant","content":"Sure?"},{"role":"user","content":"no"}]}`)
	said := map[string]int{}
	for _, e := range k.hear(t).entities {
		if e.Role == bronze.RoleUser {
			said[e.Text]++
		}
	}
	expect(t, "yes and no", fmt.Sprint(said["yes"], said["no"]), "2 2")
}

func TestAStreamThatIsCutOff(t *testing.T) {
	k := newTalk()
	k.add(streams.SourceSSE, streams.ContentSSE, "file", "", "", "data: "+chunk(`{"content":"Hello"}`, "")+"\n\n", "data: "+chunk(`{}`, "stop")+"\n")
	e := k.hear(t).call("m-1")
	if e.Status != "error" || !strings.Contains(e.Error, "within an event") || e.Text != "Hello" {
		t.Errorf("%s %q %q", e.Status, e.Error, e.Text)
	}
}

func TestACutResultIsMarked(t *testing.T) {
	k := newTalk()
	long := strings.Repeat("x", model.MaxText)
	k.add(streams.SourceJSONRPC, streams.ContentNDJSON, "s", "", "", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"shot"}}`+"\n"+
		`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"`+long+`"}]}}`+"\n")
	e := k.hear(t).call("shot")
	if !strings.HasSuffix(e.Result, " bytes more]") {
		t.Errorf("the result ends with %q", e.Result[len(e.Result)-40:])
	}
}
