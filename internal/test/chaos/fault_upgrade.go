package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// upgrade begins with an earlier version of the program, and goes on with this one on what that left.
type upgrade struct {
	calm
	done bool
}

// previous is the commit that stands for the previous release.
const previous = "664516b"

func (u *upgrade) Prepare(ctx context.Context, r *Run) error {
	binary, err := buildPrevious(ctx, r.harness.Root, r.harness.Dir)
	if err != nil {
		return fmt.Errorf("%w: build commit %s: %w", ErrSkip, previous, err)
	}
	r.Program.Binary = binary
	return nil
}

func (u *upgrade) Strike(ctx context.Context, r *Run) error {
	if u.done {
		r.Program.Signal(syscall.SIGKILL)
		return nil
	}
	u.done = true
	end := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[r.Rng.IntN(2)]
	r.Note("the old one ends by %v", end)
	if err := r.Program.Down(ctx, end); err != nil {
		return err
	}
	r.Program.Binary = r.harness.Binary
	return r.Program.Up(ctx)
}

// buildPrevious builds the earlier version from the repository's history, with its own native library. Its files are dated
// today (tar -m), since cargo would else take what it compiled last for theirs.
func buildPrevious(ctx context.Context, root, dir string) (string, error) {
	tree := filepath.Join(dir, "previous")
	if _, err := os.Stat(filepath.Join(tree, "assay")); err == nil {
		return filepath.Join(tree, "assay"), nil
	}
	if err := os.MkdirAll(tree, 0o700); err != nil {
		return "", err
	}
	const unpack = `git archive ` + previous + ` | tar -xm -C "$0" && cd "$0" && go run ./sovereign/native/build`
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", unpack, tree)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return Build(ctx, tree, tree)
}
