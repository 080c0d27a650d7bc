package gold

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assay/consumers/gold/model"
	"assay/streams"
)

// TestExportsComeOutOnce holds decoding, identities and folding together to the truth of real exports, of which spans and
// logs come apart, and everything twice: calls and tokens once, texts found.
func TestExportsComeOutOnce(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "formats")
	body, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Skip("no samples of formats at ../shared/formats beside the repository")
	}
	var expected struct {
		OTLP map[string]struct {
			Truth *struct {
				UserTexts []string `json:"user_texts"`
				Calls     int      `json:"tool_calls"`
				Tools     []string `json:"tools"`
				Content   bool     `json:"content_captured"`
				Tokens    struct{ Output int64 }
			} `json:"truth"`
			Agrees struct{ Tokens bool } `json:"agrees_with_truth"`
		} `json:"otlp"`
	}
	if err := json.Unmarshal(body, &expected); err != nil {
		t.Fatal(err)
	}
	for name, want := range expected.OTLP {
		if want.Truth == nil || !want.Agrees.Tokens {
			continue
		}
		t.Run(name, func(t *testing.T) {
			h := exported(t, filepath.Join(dir, "otlp", name))
			calls, output, said := 0, int64(0), ""
			for _, e := range h.entities {
				if slices.Contains(want.Truth.Tools, e.Capability) {
					calls++
				}
				output += max(e.OutputTokens, 0)
				said += e.Text + e.Request
			}
			if calls != want.Truth.Calls || output != want.Truth.Tokens.Output {
				t.Errorf("%d calls, %d tokens; want %d, %d; there are\n%s", calls, output, want.Truth.Calls, want.Truth.Tokens.Output, h)
			}
			if want.Truth.Content && len(want.Truth.UserTexts) > 0 && !strings.Contains(said, want.Truth.UserTexts[0]) {
				t.Errorf("%q is not said; there are\n%s", want.Truth.UserTexts[0], h)
			}
		})
	}
}

// exported takes the spans and the logs of each export of a file as requests of their own, twice.
func exported(t *testing.T, path string) *heard {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	k := newTalk()
	for dec := json.NewDecoder(file); dec.More(); {
		var export map[string]json.RawMessage
		if err := dec.Decode(&export); err != nil {
			t.Fatal(err)
		}
		for _, signal := range []string{"resourceSpans", "batches", "data", "resourceLogs"} {
			if export[signal] == nil {
				continue
			}
			body, err := json.Marshal(map[string]json.RawMessage{signal: export[signal]})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				k.add(streams.SourceOTLP, streams.ContentJSON, "otlp/"+signal, "", "", string(body))
			}
		}
	}
	return k.hear(t)
}

// TestTranscriptsComeOutOnce does the same for transcripts of Claude Code, given twice under different names.
func TestTranscriptsComeOutOnce(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "formats")
	body, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Skip("no samples of formats at ../shared/formats beside the repository")
	}
	var expected struct {
		Claude map[string]struct {
			Sessions []string       `json:"session_ids"`
			Prompts  int            `json:"user_messages"`
			First    string         `json:"first_prompt"`
			Calls    int            `json:"tool_calls"`
			Errors   int            `json:"tool_errors"`
			Tools    map[string]int `json:"tools"`
			Tokens   struct {
				Output int64 `json:"output"`
				Input  int64 `json:"input_with_cache"`
			} `json:"tokens"`
		} `json:"claude-code"`
	}
	if err := json.Unmarshal(body, &expected); err != nil {
		t.Fatal(err)
	}
	for name, want := range expected.Claude {
		lines, err := os.ReadFile(filepath.Join(dir, "claude-code", name))
		if err != nil || want.Calls == 0 || len(want.Sessions) != 1 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			k := newTalk()
			k.workflow = want.Sessions[0]
			for _, copied := range []string{"a.jsonl", "b.jsonl"} {
				k.add(streams.SourceEvent, streams.ContentNDJSON, copied, "", "", string(lines))
			}
			h := k.hear(t)
			calls, failed, prompts, output, input := 0, 0, 0, int64(0), int64(0)
			for _, e := range h.entities {
				if want.Tools[e.Capability] > 0 {
					calls++
					if e.Status == "error" {
						failed++
					}
					continue
				}
				output, input = output+max(e.OutputTokens, 0), input+max(e.InputTokens, 0)
				if e.Kind == model.KindMessage && e.Role == "user" && e.AgentID == "" {
					prompts++
				}
			}
			if calls != want.Calls || failed != want.Errors || prompts != want.Prompts || output != want.Tokens.Output || input != want.Tokens.Input {
				t.Errorf("%d calls, %d failed, %d prompts, tokens %d in, %d out; want %+v", calls, failed, prompts, input, output, want)
			}
		})
	}
}
