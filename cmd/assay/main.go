// Command assay is the stream processor: see README.md for what it does and `assay help` for how.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"assay/internal/budget"
)

// Exit statuses.
const (
	exitDone       = 0
	exitDifference = 1 // a check found differences
	exitFailed     = 2 // could not run
	exitPartial    = 3 // done in part
)

// errDifference is what a check returns that worked and found differences; they are printed already.
var errDifference = errors.New("differences found")

// errPartial is what a command returns that went on without some of its inputs.
var errPartial = errors.New("done in part")

func main() {
	setCollector(budget.For(0))
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
	case errors.Is(err, errPartial):
		fmt.Fprintln(stderr, "assay:", err)
		return exitPartial
	default:
		fmt.Fprintln(stderr, "assay:", err)
		return exitFailed
	}
}

// childExit passes the exit status of a command that was run on the user's behalf.
type childExit struct{ status int }

func (e *childExit) Error() string { return fmt.Sprintf("the command exited with status %d", e.status) }
