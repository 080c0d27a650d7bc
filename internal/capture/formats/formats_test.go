package formats_test

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
	"assay/internal/capture/framing"
)

// TestConfusion holds the table to recordings of every format: records of one are never taken for another, by content alone. It logs the
// matrix: how many records of a folder are of which format.
func TestConfusion(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "formats")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no samples of formats at ../shared/formats beside the repository")
	}
	openAI := []formats.Format{formats.OpenAI, formats.Anthropic, formats.Gemini}
	may := map[string][]formats.Format{
		"claude-code": {formats.ClaudeCode}, "codex": {formats.Codex, formats.CodexExec, formats.CodexLegacy},
		"gemini-cli": {formats.GeminiCLI}, "opencode": {formats.OpenCode}, "pi": {formats.Pi}, "otlp": {formats.OTLP},
		"a2a": {formats.A2A, formats.JSONRPC}, "acp": {formats.JSONRPC}, "ag-ui": {formats.AGUI, formats.AGUIRequest},
		"vercel-ui-stream": {formats.UIMessage}, "ollama": {formats.Ollama, formats.OpenAI}, "openrouter": {formats.OpenAI},
		"openai-compatible": openAI[:2], "provider-streams": openAI, "bedrock-converse": {formats.Bedrock}, "langgraph": {formats.LangGraph},
		"other-agents": {
			formats.Copilot, formats.Qwen, formats.Pi, formats.DroidExec, formats.Kimi, formats.Cursor, formats.Hermes, formats.Antigravity, formats.Muse,
		},
	}
	folders, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		allowed, known := may[folder.Name()]
		if !known {
			t.Errorf("%s is a folder of no known format", folder.Name())
		}
		matrix := map[formats.Format]int{}
		_ = filepath.WalkDir(filepath.Join(dir, folder.Name()), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) == ".md" {
				return err
			}
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, f := range each(path, body) {
				matrix[f]++
				// What of a format says nothing of itself is unknown, and an error is worded alike everywhere.
				if f != formats.Unknown && f != formats.Failure && !slices.Contains(allowed, f) {
					t.Errorf("%s: taken for %s", path, f)
				}
			}
			return nil
		})
		t.Logf("%-18s %v", folder.Name(), matrix)
		own := 0
		for _, f := range allowed {
			own += matrix[f]
		}
		if own == 0 {
			t.Errorf("%s: nothing of it is known", folder.Name())
		}
	}
}

// each returns the formats of the records of a file.
func each(path string, body []byte) (all []formats.Format) {
	switch {
	case strings.HasSuffix(path, ".b64"):
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(body)), ""))
		if err == nil && framing.IsEventStream(raw) {
			return []formats.Format{formats.Bedrock}
		}
	case strings.HasSuffix(path, ".sse"):
		for block := range framing.ParseSSE(append(body, "\n\n"...), true) {
			v, err := fastjson.ParseBytes(block.Data)
			switch {
			case err != nil:
			case formats.IsLangGraph(string(block.Type), v):
				all = append(all, formats.LangGraph)
			default:
				all = append(all, formats.Of(v))
			}
		}
	case strings.HasSuffix(path, ".json"):
		return []formats.Format{formats.OfHead(body).Format}
	default:
		for line := range framing.Texts(framing.NDJSON, body, true) {
			v, err := fastjson.ParseBytes(line)
			if err != nil {
				continue
			}
			if _, _, ok := formats.LangGraphTuple(v); ok {
				all = append(all, formats.LangGraph)
			} else {
				all = append(all, formats.Of(v))
			}
		}
	}
	return all
}

func TestAHeadThatIsCutOff(t *testing.T) {
	whole := `{"sessionId":"s-1","projectHash":"h","messages":[{"id":"m","content":"a \"quoted\" {[ text"},{"id":"n","tokens":{"input":12}}]}`
	for end := len(`{"sessionId":"s-1","projectHash":"h"`); end <= len(whole); end++ {
		head := formats.OfHead([]byte(whole[:end]))
		if head.Format != formats.GeminiCLI || head.Session != "s-1" {
			t.Errorf("%s: %+v", whole[:end], head)
		}
		if head.Whole != (end == len(whole)) {
			t.Errorf("%s: whole %v", whole[:end], head.Whole)
		}
	}
}

func FuzzOfHead(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"c`))
	f.Add([]byte("[{\"type\":\"session\"},\n{]}"))
	f.Fuzz(func(t *testing.T, head []byte) {
		h := formats.OfHead(head)
		if h.Whole && !json.Valid(h.First.MarshalTo(nil)) {
			t.Skip() // the parser is more lenient than the standard
		}
	})
}
