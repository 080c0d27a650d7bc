package chaos

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"assay/internal/failpoint"
)

// kill kills the program at random moments.
type kill struct{ calm }

// killDelayMax is the longest wait between a strike's moment and the kill, so that it also meets what happens by the clock.
const killDelayMax = 1500 * time.Millisecond

func (kill) Strike(ctx context.Context, r *Run) error {
	wait(ctx, time.Duration(r.Rng.Int64N(int64(killDelayMax))))
	r.Program.Signal(syscall.SIGKILL)
	return nil
}

// point kills the program at a named step of its own, a different one each time.
type point struct {
	calm
	order  []int
	passes int // at most before it kills
}

// pointWait is within how long a point is reached, if there is occasion.
const pointWait = 8 * time.Second

func (p *point) Strike(ctx context.Context, r *Run) error {
	if len(p.order) == 0 {
		p.order = r.Rng.Perm(len(failpoint.Points))
	}
	name := failpoint.Points[p.order[0]]
	p.order = p.order[1:]
	setting := fmt.Sprintf("%s:%d", name, 1+r.Rng.IntN(p.passes))
	lives := r.Program.Starts() + 2 // the one that is killed now, the one that dies at the point, and the next
	r.Program.Arm("FAULT_POINT=" + setting)
	r.Program.Signal(syscall.SIGKILL)
	for begun := time.Now(); r.Program.Starts() < lives; wait(ctx, restartPause) {
		if time.Since(begun) > pointWait || ctx.Err() != nil {
			r.Note("%s was not reached", setting)
			return nil
		}
	}
	r.Note("%s", setting)
	return nil
}

// stop stops the program for longer than the log waits for an acknowledgement.
type stop struct{ calm }

func (stop) Prepare(_ context.Context, r *Run) error {
	r.Program.Args = append(r.Program.Args, "--log-ack-wait", "1s")
	return nil
}

func (stop) Strike(ctx context.Context, r *Run) error {
	r.Program.Signal(syscall.SIGSTOP)
	wait(ctx, 1200*time.Millisecond+time.Duration(r.Rng.Int64N(int64(time.Second))))
	r.Program.Signal(syscall.SIGCONT)
	return nil
}
