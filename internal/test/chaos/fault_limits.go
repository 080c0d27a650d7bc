package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// little gives the program little memory, and more to do than otherwise: one body is so long that it would not fit.
type little struct{ calm }

const (
	memoryBytesMax = 256 << 20
	littleBodies   = 600
	longBytes      = 100_000_000
)

func (little) Load() *Load {
	l := NewLoad(7, littleBodies)
	l.long(longBytes)
	return l
}

func (little) Prepare(_ context.Context, r *Run) error {
	group, err := newGroup(fmt.Sprintf("assay-torture-%d", os.Getpid()))
	if err != nil {
		return fmt.Errorf("%w: limit memory: %w", ErrSkip, err)
	}
	r.Cleanup(group.remove)
	r.Program.Limit = group.add
	return nil
}

func (little) Strike(ctx context.Context, r *Run) error {
	wait(ctx, time.Duration(r.Rng.Int64N(int64(killDelayMax))))
	r.Program.Signal(syscall.SIGKILL)
	return nil
}

// Aftermath finds the ends of the program that no strike was the cause of: the system kills what takes too much.
func (little) Aftermath(_ context.Context, r *Run) error {
	if more := r.Program.Starts() - 1 - r.result.Strikes; more > 0 {
		r.Find("the program ended %d times more often than it was killed: %s", more, r.Program.Ends())
	}
	return nil
}

// group is a control group, of either version.
type group struct{ dir string }

// Where control groups of either version limit memory.
var memoryGroups = []struct{ root, limit string }{
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
	{"/sys/fs/cgroup", "memory.max"},
}

func newGroup(name string) (*group, error) {
	var errs []error
	for _, g := range memoryGroups {
		dir := filepath.Join(g.root, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			errs = append(errs, err)
			continue
		}
		err := os.WriteFile(filepath.Join(dir, g.limit), []byte(strconv.Itoa(memoryBytesMax)), 0o600)
		if err == nil {
			return &group{dir}, nil
		}
		errs = append(errs, err, os.Remove(dir))
	}
	return nil, errors.Join(errs...)
}

func (g *group) add(pid int) error {
	return os.WriteFile(filepath.Join(g.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o600)
}

// remove may come before the kernel has let the last process go.
func (g *group) remove() error {
	var err error
	for range 50 {
		if err = os.Remove(g.dir); err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		wait(context.Background(), 20*time.Millisecond)
	}
	return err
}

// many has a hundred thousand workflows, and kills besides.
type many struct{ kill }

func (many) Load() *Load { return NewWideLoad(100_000) }
