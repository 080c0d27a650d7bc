package replay_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"assay/internal/capture"
	"assay/internal/query/replay"
	"assay/streams"
	"assay/streams/streamstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// ingest captures files and directories and returns what was captured.
func ingest(t *testing.T, log *streams.Log, paths ...string) []capture.Input {
	t.Helper()
	publisher := log.NewPublisher(streams.PublisherConfig{})
	inputs, problems, err := capture.Find(paths, "", "")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	files := &capture.Files{Publisher: publisher, Stored: log.StreamFrames}
	if _, _, err := files.Capture(testContext(t), inputs); err != nil {
		t.Fatal(err)
	}
	if err := publisher.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return inputs
}

// What was captured comes back byte for byte, file by file.
func TestRecordingsComeBackAsTheyWere(t *testing.T) {
	data := filepath.Join("..", "..", "..", "shared", "data")
	if _, err := os.Stat(data); err != nil {
		t.Skip("the recordings are not here:", err)
	}
	log := streamstest.NewLog(t)
	paths := []string{filepath.Join(data, "sse"), filepath.Join(data, "jsonrpc"), filepath.Join(data, "events")}
	compared := 0
	for _, in := range ingest(t, log, paths...) {
		want, err := os.ReadFile(in.Path)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		workflow := streams.EscapeToken(in.Workflow)
		if err := replay.Write(testContext(t), &got, log, replay.Selection{
			Subjects: []string{"bronze.*." + workflow}, Stream: in.Stream,
		}); errors.Is(err, replay.ErrStream) && filepath.Ext(in.Path) == ".jsonl" {
			continue // an index of the recordings, which is none itself
		} else if err != nil {
			t.Fatal(err)
		}
		if compared++; !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: %d bytes came back as %d others", in.Path, len(want), got.Len())
		}
	}
	if compared < 100 {
		t.Errorf("only %d files were compared", compared)
	}
}

// Frames come back in the order of the log, and only those that were asked for.
func TestWriteSelects(t *testing.T) {
	log := streamstest.NewLog(t)
	dir := filepath.Join(t.TempDir(), "in")
	bodies := map[string]string{"a.sse": "data: 1\n\ndata: 2\n\n: tail", "b.ndjson": "{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":1}\r\n\r\n"}
	for name, body := range bodies {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ingest(t, log, dir)
	for name, test := range map[string]struct {
		selection replay.Selection
		want      []string // any of
	}{
		"all":      {replay.Selection{}, []string{bodies["a.sse"] + "\n" + bodies["b.ndjson"], bodies["b.ndjson"] + bodies["a.sse"]}},
		"source":   {replay.Selection{Subjects: []string{"bronze.sse.*"}}, []string{bodies["a.sse"]}},
		"stream":   {replay.Selection{Stream: "in/b.ndjson"}, []string{bodies["b.ndjson"]}},
		"workflow": {replay.Selection{Subjects: []string{"bronze.*." + streams.EscapeToken("in/a")}}, []string{bodies["a.sse"]}},
		"speed":    {replay.Selection{Stream: "in/a.sse", Speed: 1e9}, []string{bodies["a.sse"]}},
	} {
		var got bytes.Buffer
		if err := replay.Write(testContext(t), &got, log, test.selection); err != nil {
			t.Fatal(err)
		}
		if got.String() != test.want[0] && got.String() != test.want[len(test.want)-1] {
			t.Errorf("%s: %q", name, got.String())
		}
	}
}

// A stream that the log does not have is an error, and not an empty recording.
func TestUnknownStream(t *testing.T) {
	log := streamstest.NewLog(t)
	if err := replay.Write(testContext(t), &bytes.Buffer{}, log, replay.Selection{Stream: "nope"}); !errors.Is(err, replay.ErrStream) {
		t.Errorf("%v, want ErrStream", err)
	}
}
