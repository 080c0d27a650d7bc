// Command assay is the stream processor: see README.md for what it does and `assay help` for how.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// Exit statuses.
const (
	exitDone       = 0
	exitDifference = 1 // a check found differences
	exitFailed     = 2 // could not run
)

// errDifference is what a check returns that worked and found differences; they are printed already.
var errDifference = errors.New("differences found")

// How the garbage collector is set, unless GOGC and GOMEMLIMIT say otherwise. Most of the heap are the few large buffers of
// batches on their way, which cost it nothing to look at: so it may run often, at a third above what is alive rather than
// at twice that. The limit, above which it works harder, is for bursts. See docs/memory.md.
const (
	collectPercent = 30
	memoryLimit    = 160 << 20
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal, which asks for a clean stop, a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program: arguments and streams in, exit status out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := execute(ctx, args, stdin, stdout, stderr)
	var child *childExit
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errDifference):
		return exitDifference
	case errors.As(err, &child):
		return child.status
	default:
		fmt.Fprintln(stderr, "assay:", err)
		return exitFailed
	}
}

// childExit passes the exit status of a command that was run on the user's behalf.
type childExit struct{ status int }

func (e *childExit) Error() string { return fmt.Sprintf("the command exited with status %d", e.status) }
