package capture

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// AgentPaths returns where coding agents keep their transcripts, as far as these folders exist: Claude Code, Codex, Gemini
// CLI, opencode, pi and OpenClaw, Copilot CLI, Qwen Code, Droid, Kimi CLI and Hermes. env is os.Getenv or its like.
func AgentPaths(home string, env func(string) string) (found []string) {
	or := func(name string, fallback ...string) string {
		if dir := env(name); dir != "" {
			return dir
		}
		return filepath.Join(append([]string{home}, fallback...)...)
	}
	claude, codex, data := or("CLAUDE_CONFIG_DIR", ".claude"), or("CODEX_HOME", ".codex"), or("XDG_DATA_HOME", ".local", "share")
	for _, path := range []string{
		filepath.Join(claude, "projects"),
		filepath.Join(codex, "sessions"), filepath.Join(codex, "archived_sessions"),
		filepath.Join(home, ".gemini", "tmp"),
		filepath.Join(data, "opencode", "storage", "session"), filepath.Join(data, "opencode", "storage", "message"),
		filepath.Join(data, "opencode", "storage", "part"),
		filepath.Join(home, ".pi", "agent", "sessions"), filepath.Join(home, ".openclaw", "agents"),
		filepath.Join(home, ".copilot", "session-state"), filepath.Join(home, ".qwen", "projects"),
		filepath.Join(home, ".factory", "sessions"), filepath.Join(home, ".kimi-code", "sessions"), filepath.Join(home, ".hermes", "sessions"),
	} {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			found = append(found, path)
		}
	}
	return found
}

// agentsPoll is how often the folders of agents are looked at.
const agentsPoll = 2 * time.Second

// Follow captures the files below the paths, and again each that has changed, until ctx ends. Of a file of lines only whole
// ones are taken, for its writer may be in the middle of the last. report is told what each look brought.
func (f *Files) Follow(ctx context.Context, paths []string, report func(Total, []Problem)) error {
	growing := *f
	growing.growing = true
	seen := map[string]version{} // as many as there are files
	for {
		inputs, problems, err := Find(paths, "", "")
		if err != nil {
			return err
		}
		inputs = slices.DeleteFunc(inputs, func(in Input) bool { return !changed(seen, in.Path) })
		total, more, err := growing.Capture(ctx, inputs)
		if err != nil {
			return ignoreEnd(ctx, err)
		}
		if len(inputs) > 0 {
			report(total, append(problems, more...))
		}
		if err := wait(ctx, agentsPoll); err != nil {
			return ignoreEnd(ctx, err)
		}
	}
}

// version tells whether a file has changed.
type version struct {
	size int64
	at   time.Time
}

// changed reports whether a file is not as it was seen, and remembers how it is.
func changed(seen map[string]version, path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return true // Capture will tell
	}
	now := version{info.Size(), info.ModTime()}
	before, known := seen[path]
	seen[path] = now
	return !known || before != now
}
