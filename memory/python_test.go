package memory

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"assay/internal/test/program"
)

// LanceDB's Python client reads the tables while they are being written, and never sees a row twice.
func TestPythonReadsMeanwhile(t *testing.T) {
	python := program.Python(t, "TEST_LANCEDB_PYTHON", "import lancedb", "lancedb")
	dir := t.TempDir()
	m := openWith(t, dir)
	reader := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "readers.py"), filepath.Join(dir, "sovereign"))
	reader.Stderr = os.Stderr
	stdin, err := reader.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := reader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(stdout)
	if !answers.Scan() {
		t.Fatal("the reader did not start")
	}
	const workflows, events = 20, 50
	for w := range workflows {
		var told []any
		for e := range events {
			told = append(told, map[string]any{"type": "observation", "intent_id": fmt.Sprint(e), "payload": fmt.Sprintf("fact %d", e)})
		}
		if err := m.Append(t.Context(), fmt.Sprint("workflow-", w), told...); err != nil {
			t.Fatal(err)
		}
		if err := m.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.pipeline.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	var seen struct{ Traces, Entities, Episodes, Rounds int }
	if !answers.Scan() {
		t.Fatal("the reader failed: ", reader.Wait())
	}
	if err := json.Unmarshal(answers.Bytes(), &seen); err != nil {
		t.Fatal(err)
	}
	if err := reader.Wait(); err != nil {
		t.Error(err)
	}
	const all = workflows * events
	if seen.Traces != all || seen.Entities != all || seen.Episodes != all || seen.Rounds < 2 {
		t.Errorf("%+v, want %d of each in several rounds", seen, all)
	}
	t.Logf("%+v", seen)
}
