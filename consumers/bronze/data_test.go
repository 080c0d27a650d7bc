package bronze_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"assay/consumers/bronze"
	"assay/internal/capture/framing"
	"assay/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recordings returns the path of ../shared/data beside the repository. It skips the test where that is absent.
func recordings(tb testing.TB) string {
	tb.Helper()
	root, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for !exists(filepath.Join(root, "go.mod")) {
		root = filepath.Dir(root)
	}
	data := filepath.Join(root, "..", "shared", "data")
	if !exists(data) {
		tb.Skip("no recordings at ../shared/data beside the repository")
	}
	return data
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func readFile(tb testing.TB, path ...string) []byte {
	tb.Helper()
	body, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// frameOf makes one frame of a whole stream.
func frameOf(source streams.Source, stream string, body []byte) *streams.Frame {
	f := &streams.Frame{
		Source: source, Workflow: "wf", Stream: stream, ContentType: streams.ContentNDJSON,
		Captured: time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC), Body: body,
	}
	format := framing.NDJSON
	if source == streams.SourceSSE {
		f.ContentType, format = streams.ContentSSE, framing.SSE
	}
	f.Count = framing.Count(format, body, true)
	return f
}

// recording is one line of the index of SSE recordings.
type recording struct{ File, Endpoint string }

func sseRecordings(tb testing.TB, data string) []recording {
	tb.Helper()
	var all []recording
	for line := range bytes.Lines(readFile(tb, data, "sse", "INDEX.jsonl")) {
		var r recording
		if err := json.Unmarshal(line, &r); err != nil {
			tb.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// reassemble puts the message of a stream together again: each part is its pieces in order, or the whole that replaces
// them, and parts follow one another as they began.
func reassemble(events []bronze.Event, types ...bronze.FragmentType) string {
	text, order := map[string]string{}, []string{}
	for _, e := range events {
		for _, f := range e.Fragments {
			if !slices.Contains(types, f.Type) {
				continue
			}
			if _, begun := text[f.Part]; !begun {
				order = append(order, f.Part)
			}
			if f.Whole {
				text[f.Part] = f.Text
			} else {
				text[f.Part] += f.Text
			}
		}
	}
	joined := ""
	for _, part := range order {
		joined += text[part]
	}
	return joined
}

// providerOf is the provider of a whole stream: the one that some event gives away before the one that many speak like.
func providerOf(events []bronze.Event) string {
	found := map[string]bool{}
	for _, e := range events {
		found[e.Provider] = true
	}
	delete(found, "")
	if len(found) > 1 {
		delete(found, bronze.ProviderOpenAI)
	}
	names := slices.Sorted(maps.Keys(found))
	if len(names) != 1 {
		return ""
	}
	return names[0]
}
