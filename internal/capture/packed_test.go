package capture_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"assay/internal/capture"
	"assay/streams"
)

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t *testing.T, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

// TestCompressedFiles shows that a file which was compressed since it was captured adds nothing, that one which was not captured
// before is what it was, whatever its name, and that of one which is cut off the whole lines are kept.
func TestCompressedFiles(t *testing.T) {
	line := func(text string) string {
		return `{"type":"observation","event_cid":"` + text + `","payload":"` + text + "\"}\n"
	}
	a, b, c := line("a1")+line("a2"), line("b1"), line("c1")+strings.Repeat(line("c2"), 2000)
	log := &fakeLog{}
	files := &capture.Files{Publisher: log, Stored: log.stored}
	if _, problems := captureFiles(t, files, tree(t, map[string]string{"a.jsonl": a})); len(problems) > 0 {
		t.Fatal(problems)
	}
	dir := tree(t, map[string]string{"a.jsonl.zst": zstandard(t, a), "b.jsonl.gz": gzipped(t, b), "x": gzipped(t, line("x1"))})
	total, problems := captureFiles(t, files, dir)
	if len(problems) > 0 || total.Events != 4 || total.Stored != 1 || log.events(streams.SourceEvent) != 4 {
		t.Errorf("%+v, %v; %d events in the log", total, problems, log.events(streams.SourceEvent))
	}
	if got := body(t, log.stream("in/b.jsonl")); string(got) != b {
		t.Errorf("b.jsonl.gz holds %q", got)
	}
	other := tree(t, map[string]string{"a.jsonl.gz": gzipped(t, line("other"))}) // not what the log has under this name
	if total, problems := captureFiles(t, files, other); len(problems) > 0 || total.Stored != 0 {
		t.Errorf("%+v, %v", total, problems)
	}
	whole := gzipped(t, c)
	total, problems = captureFiles(t, files, tree(t, map[string]string{"c.jsonl.gz": whole[:len(whole)-9]}))
	if !problemOf(problems, "c.jsonl.gz", capture.ErrRequest) || total.Events == 0 {
		t.Errorf("%+v, %v", total, problems)
	}
}
