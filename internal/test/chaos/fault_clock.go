package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// clock makes the program's clock jump by an hour, back and forth: a program that was built with another time.Now. The
// machine's clock stays as it is, and so does the monotonic one, as with a real jump.
type clock struct {
	calm
	file string // holds the offset in seconds
}

// setClock is added to the program: each SIGUSR1 makes it read its offset.
const setClock = `package main

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func init() {
	read := func() {
		text, err := os.ReadFile(os.Getenv("TORTURE_CLOCK"))
		if n, perr := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && perr == nil {
			time.TortureOffset.Store(n)
		}
	}
	read()
	jumps := make(chan os.Signal, 1)
	signal.Notify(jumps, syscall.SIGUSR1)
	go func() {
		for range jumps {
			read()
		}
	}()
}
`

func (c *clock) Prepare(ctx context.Context, r *Run) error {
	c.file = filepath.Join(r.Dir, "clock")
	binary, err := buildWithClock(ctx, r.harness.Root, r.harness.Dir)
	if err != nil {
		return err
	}
	r.Program.Binary = binary
	r.Program.Env = append(r.Program.Env, "TORTURE_CLOCK="+c.file)
	return nil
}

func (c *clock) Strike(_ context.Context, r *Run) error {
	jump := []time.Duration{time.Hour, -time.Hour, 0}[r.Rng.IntN(3)]
	if err := os.WriteFile(c.file, fmt.Appendln(nil, int64(jump/time.Second)), 0o600); err != nil {
		return err
	}
	r.Program.Signal(syscall.SIGUSR1)
	r.Note("clock %v", jump)
	if r.Rng.IntN(2) == 0 {
		r.Program.Signal(syscall.SIGKILL) // the next life begins in the other time
	}
	return nil
}

// Heal sets the clock right.
func (c *clock) Heal(_ context.Context, r *Run) error {
	err := os.WriteFile(c.file, []byte("0\n"), 0o600)
	r.Program.Signal(syscall.SIGUSR1)
	return err
}

// buildWithClock builds the program with Go's own sources of package time, changed on the fly, once.
func buildWithClock(ctx context.Context, root, dir string) (string, error) {
	sub := filepath.Join(dir, "clock")
	if _, err := os.Stat(filepath.Join(sub, "assay")); err == nil {
		return filepath.Join(sub, "assay"), nil
	}
	if err := os.MkdirAll(sub, 0o700); err != nil {
		return "", err
	}
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("%w: where is Go? %w", ErrSkip, err)
	}
	source := filepath.Join(strings.TrimSpace(string(goroot)), "src", "time", "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSkip, err)
	}
	changed := strings.Replace(string(text), "sec, nsec, mono := runtimeNow()", "sec, nsec, mono := runtimeNow()\n\tsec += TortureOffset.Load()", 1)
	changed = strings.Replace(changed, "import (\n", "import (\n\t\"sync/atomic\"\n", 1)
	if changed == string(text) || !strings.Contains(changed, "TortureOffset") {
		return "", fmt.Errorf("%w: this Go's time.Now is another", ErrSkip)
	}
	changed += "\n// TortureOffset is added to the time, in seconds.\nvar TortureOffset atomic.Int64\n"
	replace := map[string]string{}
	absolute, err := filepath.Abs(filepath.Join(root, "cmd", "assay", "torture_clock.go"))
	if err != nil {
		return "", err
	}
	for original, content := range map[string]string{source: changed, absolute: setClock} {
		replace[original] = filepath.Join(sub, filepath.Base(original))
		if err := os.WriteFile(replace[original], []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(sub, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return "", err
	}
	return Build(ctx, root, sub, "-overlay", file)
}
