package capture_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"assay/internal/capture"
	"assay/streams"
)

func TestAgentPathsThatAreThere(t *testing.T) {
	home := tree(t, map[string]string{
		".claude/projects/p/s.jsonl": "1", "elsewhere/sessions/r.jsonl": "1", ".gemini/settings.json": "1",
	})
	env := map[string]string{"CODEX_HOME": filepath.Join(home, "elsewhere")}
	got := capture.AgentPaths(home, func(name string) string { return env[name] })
	want := []string{filepath.Join(home, ".claude", "projects"), filepath.Join(home, "elsewhere", "sessions")}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A transcript is taken line by line as it grows, and its session is its workflow.
func TestTranscriptsAreFollowed(t *testing.T) {
	const line = `{"type":"user","sessionId":"s-1","uuid":"u-1","message":{"role":"user","content":"hi"}}` + "\n"
	dir := tree(t, map[string]string{"p/a.jsonl": line + line[:20]})
	path := filepath.Join(dir, "p", "a.jsonl")
	log := &fakeLog{}
	ctx, stop := context.WithCancel(t.Context())
	looks := make(chan capture.Total)
	done := make(chan error, 1)
	go func() {
		files := &capture.Files{Publisher: log}
		done <- files.Follow(ctx, []string{dir}, func(total capture.Total, problems []capture.Problem) {
			if len(problems) > 0 {
				t.Error(problems)
			}
			looks <- total
		})
	}()
	if total := <-looks; total.Events != 1 || log.frames[0].Workflow != "s-1" || log.frames[0].Source != streams.SourceEvent {
		t.Errorf("first look: %+v", total)
	}
	if err := os.WriteFile(path, []byte(line+line), 0o600); err != nil {
		t.Fatal(err)
	}
	if total := <-looks; total.Events != 2 {
		t.Errorf("second look: %+v", total)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
