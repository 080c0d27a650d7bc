package formats_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
	"assay/internal/capture/framing"
)

// TestSamplesAreOfTheirFormat holds the table to recordings of every format: none is taken for another, by content alone.
func TestSamplesAreOfTheirFormat(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "formats")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no samples of formats at ../shared/formats beside the repository")
	}
	may := map[string][]formats.Format{
		"claude-code": {formats.ClaudeCode}, "codex": {formats.Codex, formats.CodexExec, formats.CodexLegacy},
		"gemini-cli": {formats.GeminiCLI}, "opencode": {formats.OpenCode}, "pi": {formats.Pi}, "otlp": {formats.OTLP},
		"a2a": {formats.A2A, formats.JSONRPC, formats.Failure /* which every protocol words alike */}, "acp": {formats.JSONRPC}, "ag-ui": {formats.AGUI, formats.AGUIRequest},
		"vercel-ui-stream": {formats.UIMessage}, "ollama": {formats.Ollama, formats.OpenAI},
		"openrouter": {formats.OpenAI}, "openai-compatible": {formats.OpenAI, formats.Anthropic}, "bedrock-converse": {formats.Bedrock},
		"provider-streams": {formats.Anthropic, formats.OpenAI, formats.Gemini}, "langgraph": {formats.LangGraph},
	}
	for folder, allowed := range may {
		of := map[formats.Format]bool{}
		for _, f := range allowed {
			of[f] = true
		}
		known, files := 0, 0
		_ = filepath.WalkDir(filepath.Join(dir, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) == ".md" {
				return err
			}
			files++
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found := formats.Unknown
			for _, f := range each(path, body) {
				if f != formats.Unknown && !of[f] {
					t.Errorf("%s: taken for %s", path, f)
				}
				if f != formats.Unknown {
					found = f
				}
			}
			if found != formats.Unknown {
				known++
			} else if testing.Verbose() {
				t.Logf("%s: unknown", path)
			}
			return nil
		})
		t.Logf("%s: %d of %d files known", folder, known, files)
	}
}

// each returns the formats of the records of a file: of those of an SSE stream, else that of its head.
func each(path string, body []byte) (all []formats.Format) {
	if !strings.HasSuffix(path, ".sse") {
		return []formats.Format{formats.OfHead(body).Format}
	}
	for block := range framing.ParseSSE(append(body, "\n\n"...), true) {
		if v, err := fastjson.ParseBytes(block.Data); err == nil {
			all = append(all, formats.Of(v))
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
