package bronze_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assay/consumers/bronze"
	"assay/internal/capture/framing"
	"assay/streams"
)

// samples returns the folder of recorded formats beside the repository and what is right for them, by format. It skips the
// test where they are absent.
func samples(t *testing.T) (dir string, expected map[string]map[string]json.RawMessage) {
	t.Helper()
	dir = filepath.Join(filepath.Dir(recordings(t)), "formats")
	body, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Skip("no samples of formats at ../shared/formats beside the repository")
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatal(err)
	}
	expected = map[string]map[string]json.RawMessage{}
	for format, raw := range all {
		var files map[string]json.RawMessage
		if json.Unmarshal(raw, &files) == nil {
			expected[format] = files
		}
	}
	return dir, expected
}

// told is what the events of a file come to, as Gold would count it.
type told struct {
	prompts, sidechain, answers      int
	calls, results, errors, failures int
	compactions                      int
	input, output, cached            int64
	models, workflows                []string
	texts                            map[string]string // by role and intent
	dead                             []string
}

// tell decodes a file as one frame and sums it up.
func tell(t *testing.T, path string) told {
	t.Helper()
	body := readFile(t, path)
	f := frameOf(streams.SourceEvent, "s", body)
	if bytes.HasPrefix(bytes.TrimLeft(body, "\ufeff \n"), []byte("{\n")) || strings.HasSuffix(path, ".json") {
		f.ContentType = streams.ContentJSON
		f.Count = framing.Count(framing.JSON, body, true)
	}
	return tellEvents(bronze.Decode(f, 1))
}

func tellEvents(events []bronze.Event) told {
	sum := told{texts: map[string]string{}}
	seen := map[string]bool{}
	calls, results, failed := map[string]bool{}, map[string]bool{}, map[string]bool{}
	answers, prompts, sidechain := map[string]bool{}, map[string]bool{}, map[string]bool{}
	type usage struct{ input, output, cached int64 }
	tokens := map[string]usage{}
	models, workflows := map[string]bool{}, map[string]bool{}
	for i := range events {
		e := &events[i]
		if e.Disposition == bronze.Dead {
			sum.dead = append(sum.dead, e.Reason)
			continue
		}
		if e.EventID != "" && seen[e.EventID] {
			continue
		}
		seen[e.EventID] = true
		workflows[e.WorkflowID] = true
		id := e.WorkflowID + "|" + e.IntentID
		if e.IntentID == "" {
			id = fmt.Sprintf("%d/%d", e.Position, e.Part)
		}
		switch e.Kind {
		case bronze.KindMessage:
			text := ""
			for _, f := range e.Fragments {
				if f.Type == bronze.FragmentText {
					text += f.Text
				}
			}
			sum.texts[e.Role+"|"+id] += text
			switch {
			case e.Role == bronze.RoleUser && e.AgentID != "":
				sidechain[id] = true
			case e.Role == bronze.RoleUser:
				prompts[id] = true
			case e.Role == bronze.RoleAssistant && e.Status != bronze.StatusError:
				answers[id] = true
			}
		case bronze.KindToolCall:
			calls[id] = true
		case bronze.KindToolResult:
			results[id] = true
			if e.Status == bronze.StatusError {
				failed[id] = true
			}
		case bronze.KindCompaction:
			sum.compactions++
		case bronze.KindAgentError:
			sum.failures++
		}
		u := tokens[id]
		tokens[id] = usage{max(u.input, e.InputTokens), max(u.output, e.OutputTokens), max(u.cached, e.CachedTokens)}
		if e.Capability != "" && e.Kind != bronze.KindToolCall && e.Kind != bronze.KindToolResult {
			models[e.Capability] = true
		}
	}
	for _, u := range tokens {
		sum.input, sum.output, sum.cached = sum.input+u.input, sum.output+u.output, sum.cached+u.cached
	}
	sum.prompts, sum.sidechain, sum.answers = len(prompts), len(sidechain), len(answers)
	sum.calls, sum.results, sum.errors = len(calls), len(results), len(failed)
	sum.models, sum.workflows = slices.Sorted(maps.Keys(models)), slices.Sorted(maps.Keys(workflows))
	return sum
}

// TestClaudeCodeSamples holds the decoder to what is known of real transcripts.
func TestClaudeCodeSamples(t *testing.T) {
	dir, expected := samples(t)
	for name, raw := range expected["claude-code"] {
		t.Run(name, func(t *testing.T) {
			var want struct {
				UserMessages      int      `json:"user_messages"`
				SidechainPrompts  int      `json:"sidechain_prompts"`
				AssistantMessages int      `json:"assistant_messages"`
				ToolCalls         int      `json:"tool_calls"`
				ToolResults       int      `json:"tool_results"`
				ToolErrors        int      `json:"tool_errors"`
				FirstPrompt       string   `json:"first_prompt"`
				Models            []string `json:"models"`
				Tokens            struct {
					Output    int64 `json:"output"`
					Input     int64 `json:"input_with_cache"`
					CacheRead int64 `json:"cache_read"`
				} `json:"tokens"`
			}
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			got := tell(t, filepath.Join(dir, "claude-code", name))
			slices.Sort(want.Models)
			check(t, "prompts", got.prompts, want.UserMessages)
			check(t, "sidechain prompts", got.sidechain, want.SidechainPrompts)
			check(t, "answers", got.answers, want.AssistantMessages)
			check(t, "calls", got.calls, want.ToolCalls)
			check(t, "results", got.results, want.ToolResults)
			check(t, "errors", got.errors, want.ToolErrors)
			check(t, "output", got.output, want.Tokens.Output)
			check(t, "input", got.input, want.Tokens.Input)
			check(t, "cached", got.cached, want.Tokens.CacheRead)
			check(t, "models", fmt.Sprint(got.models), fmt.Sprint(want.Models))
		})
	}
}

func check[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestCodexSamples holds the decoder to what is known of rollouts.
func TestCodexSamples(t *testing.T) {
	dir, expected := samples(t)
	for name, raw := range expected["codex"] {
		t.Run(name, func(t *testing.T) {
			var want struct {
				Kind              string   `json:"kind"`
				UserMessages      int      `json:"user_messages"`
				AssistantMessages int      `json:"assistant_messages"`
				ToolCalls         int      `json:"tool_calls"`
				ToolErrors        int      `json:"tool_errors"`
				Errors            []string `json:"errors"`
				Models            []string `json:"models"`
				Tokens            struct {
					Input  int64 `json:"input"`
					Output int64 `json:"output"`
					Cached int64 `json:"cached"`
				} `json:"tokens"`
			}
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			got := tell(t, filepath.Join(dir, "codex", name))
			slices.Sort(want.Models)
			said := map[string]int{}
			for id, text := range got.texts {
				if role, _, _ := strings.Cut(id, "|"); text != "" {
					said[role]++
				}
			}
			if want.Kind == "rollout" && name != "jazzyalex_agent-sessions/codex/small.jsonl" { // of which a prompt's twin was trimmed away
				check(t, "prompts", said[bronze.RoleUser], want.UserMessages)
			}
			check(t, "answers", said[bronze.RoleAssistant], want.AssistantMessages)
			check(t, "calls", got.calls, want.ToolCalls)
			check(t, "errors", got.errors, want.ToolErrors)
			check(t, "failures", got.failures, len(want.Errors))
			check(t, "output", got.output, want.Tokens.Output)
			check(t, "input", got.input, want.Tokens.Input)
			if want.Kind == "rollout" {
				check(t, "models", fmt.Sprint(got.models), fmt.Sprint(want.Models))
			}
		})
	}
}

// TestOTLPSamples holds the decoder to the truth of exports: calls, errors and tokens counted once, and texts found.
func TestOTLPSamples(t *testing.T) {
	dir, expected := samples(t)
	for name, raw := range expected["otlp"] {
		t.Run(name, func(t *testing.T) {
			var want struct {
				Truth *struct {
					UserTexts  []string `json:"user_texts"`
					FinalTexts []string `json:"final_texts"`
					Calls      int      `json:"tool_calls"`
					Tools      []string `json:"tools"`
					Errors     int      `json:"tool_errors"`
					Content    bool     `json:"content_captured"`
					Tokens     struct{ Input, Output int64 }
				} `json:"truth"`
				Agrees struct{ Tokens bool } `json:"agrees_with_truth"`
			}
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			if want.Truth == nil || !want.Agrees.Tokens {
				t.Skip("without a truth to compare with")
			}
			got := tellOTLP(t, filepath.Join(dir, "otlp", name))
			check(t, "calls", got.calls, want.Truth.Calls)
			check(t, "errors", got.errors, want.Truth.Errors)
			check(t, "output", got.output, want.Truth.Tokens.Output)
			check(t, "input", got.input, want.Truth.Tokens.Input)
			if !want.Truth.Content {
				return
			}
			all := strings.Join(slices.Collect(maps.Values(got.texts)), "\n")
			for _, said := range append(want.Truth.UserTexts, want.Truth.FinalTexts...) {
				if !strings.Contains(all, said) {
					t.Errorf("%q is not told in %q", said, all)
				}
			}
		})
	}
}

// tellOTLP decodes every export of a file twice, each as a record of its own, and sums them up.
func tellOTLP(t *testing.T, path string) told {
	t.Helper()
	var exports []json.RawMessage
	for dec := json.NewDecoder(bytes.NewReader(readFile(t, path))); dec.More(); {
		var one json.RawMessage
		if err := dec.Decode(&one); err != nil {
			t.Fatal(err)
		}
		var several []json.RawMessage
		if json.Unmarshal(one, &several) == nil {
			exports = append(exports, several...)
		} else {
			exports = append(exports, one)
		}
	}
	var events []bronze.Event
	for range 2 {
		for _, one := range exports {
			var parts map[string]json.RawMessage
			if json.Unmarshal(one, &parts) != nil {
				continue
			}
			for _, key := range slices.Sorted(maps.Keys(parts)) {
				if key == "resourceLogs" || key == "resourceSpans" || key == "batches" || key == "data" {
					body, _ := json.Marshal(map[string]json.RawMessage{key: parts[key]})
					f := frameOf(streams.SourceOTLP, "otlp", append(body, '\n'))
					events = append(events, bronze.Decode(f, 1)...)
				}
			}
		}
	}
	return tellEvents(events)
}

// TestA2ASamples holds the decoder to what results of A2A say of their calls.
func TestA2ASamples(t *testing.T) {
	dir, expected := samples(t)
	for name, raw := range expected["a2a"] {
		var want struct {
			Status  string `json:"expected_call_status"`
			Results int
		}
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if want.Status == "" || want.Results == 0 || filepath.Ext(name) == ".http" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			body := readFile(t, dir, "a2a", name)
			f := frameOf(streams.SourceJSONRPC, "s", body)
			f.ContentType = streams.ContentJSON
			format := framing.JSON
			if filepath.Ext(name) == ".sse" {
				f.ContentType, format = streams.ContentSSE, framing.SSE
				f.Body = append(body, "\n\n"...)
			}
			f.Count = framing.Count(format, f.Body, true)
			status := "open"
			for _, e := range bronze.Decode(f, 1) {
				if e.Kind == bronze.KindRPCResponse && e.Status != bronze.StatusNone {
					status = string(e.Status)
				}
			}
			check(t, "status", status, want.Status)
		})
	}
}

// TestLangGraphTuples decodes a run that was written down as tuples: a question, two calls side by side, and the answer.
func TestLangGraphTuples(t *testing.T) {
	dir, _ := samples(t)
	got := tell(t, filepath.Join(dir, "langgraph", "vercel-ai", "react_agent_tool_calling.tuples.ndjson"))
	check(t, "dead", len(got.dead), 0)
	check(t, "prompts", got.prompts, 1)
	check(t, "calls", got.calls, 2)
	check(t, "results", got.results, 2)
	check(t, "errors", got.errors, 0)
	check(t, "output", got.output, 126+48)
	check(t, "answers", got.answers, 2)
	for id := range got.texts {
		if strings.Contains(id, "msg_") {
			t.Errorf("%s says nothing, and is told as a message", id)
		}
	}
	answer := got.texts[bronze.RoleAssistant+"|wf|run-019b2889-0b71-7000-8000-0d936dbfc1c4"]
	if !strings.HasSuffix(answer, "(Asia/Tokyo)") {
		t.Errorf("the answer is %q", answer)
	}
}

// TestLangfuseExports counts what the observations of each export come to: by their own usage, once for each call of a model.
func TestLangfuseExports(t *testing.T) {
	dir, _ := samples(t)
	for name, want := range map[string]struct {
		prompts, calls        int
		input, output         int64
		workflow, said, model string
	}{
		"agno-2025-06-11":                    {3, 2, 663 + 163, 225 + 20, "35cc6c90-b657-4819-b66c-c931c03ad569", "trending on Twitter", "gpt-4o-mini"},
		"crewai-2025-07-11":                  {1, 0, 190, 164, "a287bb31e317433610d8827617471140", "Final Answer", "gpt-4o-mini"},
		"koog-2025-08-26":                    {1, 2, 168 + 47, 19 + 106, "6f8d2449-33ed-4c7c-82e7-5410e34ee4e6", "bye my dear Bob", "gpt-4o"},
		"langgraph-python-2025-08-22":        {2, 1, 60 + 108, 15 + 51, "e1fde3efec57ce8a69bafd3fb928a7eb", "primarily leads to the website", "gpt-4o-2024-08-06"},
		"pydantic-ai-tools-2025-06-06":       {1, 0, 31, 96, "session_abc", "Langfuse is a tool", "gpt-4o-2024-08-06"},
		"pydantic-ai-tools-2025-12-04":       {3, 4, 417 + 131 + 502 + 265, 53 + 69 + 14 + 73, "7a38edd8123db47ad8dcb8aa4c5e3926", "too many bugs", "gpt-4o-mini-2024-07-18"},
		"pydantic-ai-with-gemini-2025-12-24": {1, 0, 40, 159, "f68601af42c4a35e1d5e4699de569c1f", "rationale", "gemini-2.5-flash"},
		"vertex-ai-2025-08-01": {1, 0, 5, 845, "0298935e31d66d7de9487cac935d7d99", "open-so",
			"projects/example-project-1/locations/europe-central2/publishers/google/models/gemini-2.5-flash"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tell(t, filepath.Join(dir, "otlp", "langfuse", name+".trace.json"))
			check(t, "dead", len(got.dead), 0)
			check(t, "prompts", got.prompts, want.prompts)
			check(t, "calls", got.calls, want.calls)
			check(t, "input", got.input, want.input)
			check(t, "output", got.output, want.output)
			check(t, "workflows", fmt.Sprint(got.workflows), fmt.Sprint([]string{want.workflow}))
			check(t, "models", fmt.Sprint(got.models), fmt.Sprint([]string{want.model}))
			if said := strings.Join(slices.Collect(maps.Values(got.texts)), "\n"); !strings.Contains(said, want.said) {
				t.Errorf("%q is not told in %q", want.said, said)
			}
		})
	}
}

// TestSDKSpans decodes spans as SDKs and frameworks dump them.
func TestSDKSpans(t *testing.T) {
	dir, _ := samples(t)
	for name, want := range map[string]struct {
		prompts, results int
		output           int64
	}{
		"gen_ai/TINYAGENT_trace.json": {1, 3, 16 + 14 + 43 + 83}, "gen_ai/LLAMA_INDEX_trace.json": {1, 3, 36 + 33 + 94 + 32 + 60},
		"openinference/OPENAI_trace.json": {1, 4, 18 + 15 + 25},
	} {
		t.Run(name, func(t *testing.T) {
			got := tell(t, filepath.Join(dir, "otlp", "any-agent", name))
			check(t, "dead", len(got.dead), 0)
			check(t, "prompts", got.prompts, want.prompts)
			check(t, "results", got.results, want.results)
			check(t, "output", got.output, want.output)
			check(t, "workflows", len(got.workflows), 1)
		})
	}
}
