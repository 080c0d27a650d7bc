package capture_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"assay/internal/capture"
	"assay/internal/capture/framing"
	"assay/streams"
)

// captureFiles finds and captures paths, and fails the test on a fatal error.
func captureFiles(t *testing.T, files *capture.Files, paths ...string) (capture.Total, []capture.Problem) {
	t.Helper()
	inputs, problems, err := capture.Find(paths, "", "")
	if err != nil {
		t.Fatal(err)
	}
	total, more, err := files.Capture(context.Background(), inputs)
	if err != nil {
		t.Fatal(err)
	}
	problems = slices.DeleteFunc(append(problems, more...), func(p capture.Problem) bool { return errors.Is(p, capture.ErrUnfinished) })
	return total, problems
}

// tree writes files below a new directory NAME/in and returns that.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "in")
	for name, content := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFilesCaptureTheRecordings(t *testing.T) {
	data := dataDir(t)
	log := &fakeLog{}
	var seen atomic.Int64
	files := &capture.Files{Publisher: log, Stored: log.stored, Progress: func(n, _ int) { seen.Add(int64(n)) }}
	paths := []string{filepath.Join(data, "sse"), filepath.Join(data, "jsonrpc"), filepath.Join(data, "events")}
	total, problems := captureFiles(t, files, paths...)
	for source, want := range map[streams.Source]int{
		streams.SourceSSE: 15_243, streams.SourceJSONRPC: 788, streams.SourceEvent: 228,
	} {
		if got := log.events(source); got != want {
			t.Errorf("%s: %d events, want %d", source, got, want)
		}
	}
	if len(problems) != 1 || !problemOf(problems, "INDEX.jsonl", capture.ErrNotInput) || !problems[0].Notice() {
		t.Errorf("problems %v, want a notice of INDEX.jsonl alone", problems)
	}
	if seen.Load() != total.Bytes {
		t.Errorf("progress told of %d bytes of %d", seen.Load(), total.Bytes)
	}
	inputs, _, _ := capture.Find(paths, "", "")
	for _, in := range inputs {
		want, err := os.ReadFile(in.Path)
		if err != nil {
			t.Fatal(err)
		}
		if got := body(t, log.stream(in.Stream)); len(got) > 0 && !bytes.Equal(got, want) {
			t.Errorf("%s: bytes differ", in.Stream)
		}
	}
	frames := len(log.frames)
	if again, _ := captureFiles(t, files, paths...); len(log.frames) != frames || again.Events != total.Events {
		t.Errorf("captured again: %d frames more, %+v", len(log.frames)-frames, again)
	}
}

// A look at what the log has costs as much as its workflow is large, so there is one for each workflow and source.
func TestFilesOfAWorkflowShareALook(t *testing.T) {
	log, looks := &fakeLog{}, atomic.Int64{}
	files := &capture.Files{Publisher: log, Stored: func(ctx context.Context, subject string, ids ...string) (map[string]capture.Frames, error) {
		looks.Add(1)
		return log.stored(ctx, subject, ids...)
	}}
	contents := map[string]string{"x.sse": "data: 1\n\n"}
	for i := range 50 {
		contents[fmt.Sprintf("%d.ndjson", i)] = lines(3, 10)
	}
	inputs, _, err := capture.Find([]string{tree(t, contents)}, "", "one")
	if err != nil {
		t.Fatal(err)
	}
	for attempt := range 2 {
		looks.Store(0)
		total, problems, err := files.Capture(context.Background(), inputs)
		if err != nil || len(problems) > 0 || total.Events != 151 || total.Stored != attempt*total.Frames || looks.Load() != 2 {
			t.Errorf("attempt %d: %d looks, %+v, %v, %v", attempt, looks.Load(), total, problems, err)
		}
	}
}

func TestFindNamesStreams(t *testing.T) {
	dir := tree(t, map[string]string{"a.ndjson": "1", "sub/b.sse": "2", ".git/c.sse": "3", "sub/.d.sse": "4"})
	t.Chdir(dir)
	for _, test := range []struct {
		path, stream, workflow string
		want                   []capture.Input
	}{
		{dir, "", "", []capture.Input{{Stream: "in/a.ndjson", Workflow: "in/a"}, {Stream: "in/sub/b.sse", Workflow: "in/sub/b"}}},
		{".", "", "w", []capture.Input{{Stream: "in/a.ndjson", Workflow: "w"}, {Stream: "in/sub/b.sse", Workflow: "w"}}},
		{"sub/..", "", "", []capture.Input{{Stream: "in/a.ndjson", Workflow: "in/a"}, {Stream: "in/sub/b.sse", Workflow: "in/sub/b"}}},
		{"sub", "", "", []capture.Input{{Stream: "sub/b.sse", Workflow: "sub/b"}}},
		{"sub/b.sse", "", "", []capture.Input{{Stream: "sub/b.sse", Workflow: "sub/b"}}},
		{"./sub//../sub/b.sse", "", "", []capture.Input{{Stream: "sub/b.sse", Workflow: "sub/b"}}},
		{"sub/b.sse", "s", "w", []capture.Input{{Stream: "s", Workflow: "w"}}},
		{"sub/.d.sse", "", "", []capture.Input{{Stream: "sub/.d.sse", Workflow: "sub/.d"}}},
	} {
		inputs, problems, err := capture.Find([]string{test.path}, test.stream, test.workflow)
		if err != nil || len(problems) > 0 || len(inputs) != len(test.want) {
			t.Errorf("%s: %v, %v, %v", test.path, inputs, problems, err)
			continue
		}
		for i, in := range inputs {
			if in.Stream != test.want[i].Stream || in.Workflow != test.want[i].Workflow || in.Bytes != 1 {
				t.Errorf("%s: %+v, want %+v", test.path, in, test.want[i])
			}
		}
	}
	if _, _, err := capture.Find([]string{"."}, "s", ""); !errors.Is(err, capture.ErrStream) {
		t.Errorf("one stream id for two files: %v", err)
	}
	if _, problems, _ := capture.Find([]string{"missing"}, "", ""); !problemOf(problems, "missing", fs.ErrNotExist) {
		t.Errorf("a missing path: %v", problems)
	}
}

func TestFilesAreRecognised(t *testing.T) {
	for name, test := range map[string]struct {
		content     string
		force       streams.Source
		source      streams.Source // "": not a recording
		contentType string
		events      int
	}{
		"a.sse":        {"data: 1\n\n", "", streams.SourceSSE, streams.ContentSSE, 1},
		"noise.sse":    {"\x00\x01\xff\n\n", "", streams.SourceSSE, streams.ContentSSE, 0},
		"r.ndjson":     {`{"jsonrpc":"2.0"}` + "\n", "", streams.SourceJSONRPC, streams.ContentNDJSON, 1},
		"bom.jsonl":    {"\ufeff" + `{"jsonrpc":"2.0"}` + "\n", "", streams.SourceJSONRPC, streams.ContentNDJSON, 1},
		"batch.jsonl":  {`[{"id":1,"jsonrpc":"2.0"},{"jsonrpc":"2.0"}]` + "\n", "", streams.SourceJSONRPC, streams.ContentNDJSON, 2},
		"e.jsonl":      {`{"topology_class":"x"}` + "\n", "", streams.SourceEvent, streams.ContentNDJSON, 1},
		"half.ndjson":  {`{"type":"x","payload":{"a`, "", streams.SourceEvent, streams.ContentNDJSON, 1},
		"noise.ndjson": {"\x00\xff\xfe\n\x80", "", streams.SourceEvent, streams.ContentNDJSON, 2},
		"late.ndjson":  {"noise\n" + `{"jsonrpc":"2.0"}` + "\n", "", streams.SourceJSONRPC, streams.ContentNDJSON, 2},
		"huge.ndjson":  {`{"pad":"` + strings.Repeat("x", 100_000) + `","type":"x"}`, "", streams.SourceEvent, streams.ContentNDJSON, 1},
		"doc.json":     {"{\n  \"type\": \"x\"\n}\n", "", streams.SourceEvent, streams.ContentJSON, 1},
		"list.json":    {"[\n{\"type\": \"x\"},\n{}\n]\n", "", streams.SourceEvent, streams.ContentJSON, 2},
		"lines.json":   {"{\"type\":\"x\"}\n{\"type\":\"x\"}\n", "", streams.SourceEvent, streams.ContentNDJSON, 2},
		"index.jsonl":  {`{"file":"a"}` + "\n", "", "", "", 0},
		"forced.jsonl": {`{"file":"a"}` + "\n", streams.SourceEvent, streams.SourceEvent, streams.ContentNDJSON, 1},
		"stream.txt":   {": hi\n\ndata: 1\n\n", "", streams.SourceSSE, streams.ContentSSE, 1},
		"rpc.log":      {`{"jsonrpc":"2.0"}` + "\n", "", streams.SourceJSONRPC, streams.ContentNDJSON, 1},
		"README.md":    {"# hello\n", "", "", "", 0},
		"noise.bin":    {"\x7fELF\x00", "", "", "", 0},
		"wide.ndjson":  {"\xff\xfe{\x00}\x00\n\x00", "", "", "", 0},
		"wide.jsonl":   {"{\x00\"\x00t\x00y\x00p\x00e\x00\"\x00:\x001\x00}\x00\n\x00", streams.SourceEvent, "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			log := &fakeLog{}
			_, problems := captureFiles(t, &capture.Files{Publisher: log, Source: test.force}, tree(t, map[string]string{name: test.content}))
			if test.source == "" {
				if len(log.frames) != 0 || !problemOf(problems, name, capture.ErrNotInput) {
					t.Errorf("%d frames, problems %v", len(log.frames), problems)
				}
				return
			}
			if len(problems) != 0 {
				t.Fatal(problems)
			}
			f := log.frames[0]
			if f.Source != test.source || f.ContentType != test.contentType || log.events(test.source) != test.events {
				t.Errorf("%s, %s, %d events", f.Source, f.ContentType, log.events(test.source))
			}
			if got := body(t, log.frames); string(got) != test.content {
				t.Errorf("bytes differ: %.80q", got)
			}
		})
	}
}

func TestFilesGoOnPastBadOnes(t *testing.T) {
	dir := tree(t, map[string]string{
		"empty.sse": "", "good.ndjson": `{"type":"x"}` + "\n",
		"large.ndjson":    `{"type":"x"}` + "\n" + `{"pad":"` + strings.Repeat("x", 20<<20) + `"}` + "\n" + `{"type":"y"}` + "\n",
		"locked/a.ndjson": "{}", "secret.ndjson": "{}",
	})
	for _, locked := range []string{"locked", "secret.ndjson"} {
		if err := os.Chmod(filepath.Join(dir, locked), 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, locked), 0o755) })
	}
	log := &fakeLog{}
	total, problems := captureFiles(t, &capture.Files{Publisher: log, Source: streams.SourceEvent}, dir)
	for name, want := range map[string]error{"empty.sse": capture.ErrEmpty, "large.ndjson": framing.ErrTooLarge} {
		if !problemOf(problems, name, want) {
			t.Errorf("%s: not among the problems %v", name, problems)
		}
	}
	if os.Geteuid() != 0 { // root may read everything
		for _, name := range []string{"locked", "secret.ndjson"} {
			if !problemOf(problems, name, fs.ErrPermission) {
				t.Errorf("%s: not among the problems %v", name, problems)
			}
		}
	}
	frames := log.stream("in/large.ndjson")
	if len(frames) != 2 || frames[1].Position != 2 || len(log.stream("in/good.ndjson")) != 1 {
		t.Errorf("%+v: what is not at fault is missing", total)
	}
}

func TestFilesStopWhenTheLogRefuses(t *testing.T) {
	log := &fakeLog{gate: func(context.Context) error { return streams.ErrFull }}
	inputs, _, _ := capture.Find([]string{tree(t, map[string]string{"a.sse": "data: 1\n\n", "b.sse": "data: 1\n\n"})}, "", "")
	if _, _, err := (&capture.Files{Publisher: log}).Capture(context.Background(), inputs); !errors.Is(err, streams.ErrFull) {
		t.Errorf("%v, want ErrFull", err)
	}
}

// Whatever a file holds, its bytes are captured exactly, or it is named among the problems.
func FuzzFilesTakeAnything(f *testing.F) {
	for _, seed := range []string{"data: 1\n\n", "\ufeff{\"jsonrpc\":\"2.0\"}\n", "[{}]", "[1,\n{\"type\":1", "\r\r\n:", "\x00"} {
		for ext := range byte(5) {
			f.Add([]byte(seed), ext)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte, ext byte) {
		name := "a" + []string{".sse", ".ndjson", ".jsonl", ".json", ".txt"}[ext%5]
		log := &fakeLog{}
		total, problems := captureFiles(t, &capture.Files{Publisher: log}, tree(t, map[string]string{name: string(content)}))
		switch {
		case len(problems) == 0 && !bytes.Equal(body(t, log.frames), content):
			t.Errorf("captured %q", joined(log))
		case len(problems) > 0 && (total.Frames > 0 || !problems[0].Notice()):
			t.Errorf("%+v, %v", total, problems)
		}
	})
}

// Two files never share a stream: neither by their base names, nor by their whole ones if their content differs. What is
// captured again, grown or not, is the same file.
func TestFilesOfOneName(t *testing.T) {
	log := &fakeLog{}
	files := &capture.Files{Publisher: log, Stored: log.stored}
	const start = `{"type":"x","n":0}` + "\n"
	dirs := []string{
		tree(t, map[string]string{"s.jsonl": start + `{"type":"x","n":1}` + "\n"}),
		tree(t, map[string]string{"s.jsonl": start + `{"type":"x","n":2}` + "\n"}),
		tree(t, map[string]string{"s.jsonl": `{"type":"x","n":3}` + "\n"}),
	}
	all := slices.Clone(dirs)
	capturing := func(paths ...string) {
		t.Helper()
		inputs, _, err := capture.Find(paths, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, problems, err := files.Capture(t.Context(), inputs); err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
	}
	events := func() (streams map[string]int, all int) {
		streams = map[string]int{}
		for _, f := range log.frames {
			streams[f.Stream] += f.Count
			all += f.Count
		}
		return streams, all
	}
	capturing(all...) // at once
	if names, n := events(); len(names) != 3 || n != 5 || names["in/s.jsonl"] != 2 {
		t.Fatalf("streams %v", names)
	}
	for range 2 {
		for _, path := range all {
			capturing(path)
		}
	}
	if names, n := events(); len(names) != 3 || n != 5 {
		t.Errorf("again: streams %v", names)
	}
	grown, err := os.OpenFile(filepath.Join(dirs[2], "s.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = grown.WriteString(start)
	_ = grown.Close()
	capturing(all[2])
	if names, n := events(); len(names) != 3 || n != 6 {
		t.Errorf("grown: streams %v", names)
	}
}

// Of a path that was asked for something must come, or it is a problem; the end of an SSE body that is no event is said.
func TestUnserved(t *testing.T) {
	dir := tree(t, map[string]string{
		"index.json": `{"file":"a"}`, "good/e.jsonl": `{"type":"x"}`, "good/index.json": `{"file":"a"}`, "empty/.hidden": "x",
		"cut/cut.sse": "data: 1\n\ndata: 2\n",
	})
	for path, want := range map[string]struct {
		problems, notices int
		err               error
	}{
		"index.json": {1, 0, capture.ErrNotInput}, "good": {0, 1, capture.ErrNotInput}, "empty": {1, 0, capture.ErrEmpty},
		"cut": {0, 1, capture.ErrUnfinished},
	} {
		given := []string{filepath.Join(dir, path)}
		inputs, problems, err := capture.Find(given, "", "")
		if err != nil {
			t.Fatal(err)
		}
		total, more, err := (&capture.Files{Publisher: &fakeLog{}}).Capture(t.Context(), inputs)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ problems, notices int }
		for _, p := range capture.Unserved(given, total, inputs, append(problems, more...)) {
			if p.Notice() {
				got.notices++
			} else {
				got.problems++
			}
			if !errors.Is(p, want.err) {
				t.Errorf("%s: %v", path, p)
			}
		}
		if got.problems != want.problems || got.notices != want.notices {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// crowd is a log that answers nobody until so many frames wait for it.
type crowd struct {
	fakeLog
	waiting atomic.Int64
	enough  int64
	all     chan struct{}
}

func (c *crowd) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	if c.waiting.Add(1) == c.enough {
		close(c.all)
	}
	select {
	case <-c.all:
		return c.fakeLog.Publish(ctx, frames...)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Small files wait for the log side by side, so that it can write them with one sync.
func TestSmallFilesGoToTheLogTogether(t *testing.T) {
	files := map[string]string{}
	for i := range 64 {
		files[fmt.Sprintf("%d.sse", i)] = "data: {\"id\":\"a\"}\n\n"
	}
	log := &crowd{enough: int64(len(files)), all: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	inputs, _, err := capture.Find([]string{tree(t, files)}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if total, _, err := (&capture.Files{Publisher: log}).Capture(ctx, inputs); err != nil || total.Frames != len(files) {
		t.Errorf("%d frames, %v; want %d", total.Frames, err, len(files))
	}
}
