package tap

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"assay/internal/capture"
	"assay/streams"
)

const (
	// copyBytes is how much is passed on at once.
	copyBytes = 64 << 10
	// lastWordsMax is how long the server's output may stay open, for instance in a child of its own, once it has ended
	// or was told to.
	lastWordsMax = 2 * time.Second
	// recordGrace is how long what has passed may take to be recorded once the session is over.
	recordGrace = 10 * time.Second
)

// Options say how a session is run and recorded. All fields but Env, Dir, Signals and Limits are required.
type Options struct {
	Command []string // the server and its arguments
	Dir     string
	Env     []string

	Stdin  io.Reader // from the client
	Stdout io.Writer // to the client
	Stderr io.Writer
	// Signals that come here are passed on to the server.
	Signals <-chan os.Signal

	Publisher capture.Publisher // should answer soon: an outbox
	Workflow  string
	Limits    capture.Limits
	Stream    string      // the session's id
	Report    func(error) // told of what could not be recorded while the session goes on; from several goroutines
}

// Run runs the server until it ends, passing through what it and the client say, and returns its exit code; that of a
// server ended by a signal is 128 and the signal's number, as shells have it. Once ctx ends the server is told to
// (SIGTERM), and killed if it does not.
//
// The exit code is recorded too. The error wraps ErrStart, and the code is -1, if the server could not be started. That something could not be recorded
// is told to Report alone. The copying of Stdin ends when that does, or this process.
func Run(ctx context.Context, opts Options) (code int, err error) {
	q := newQueue()
	cmd := exec.CommandContext(ctx, opts.Command[0], opts.Command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = opts.Dir, opts.Env, opts.Stderr
	cmd.Stdout = &passage{streams.SideServer, q, opts.Stdout}
	var told atomic.Int64 // the signal by which the server was told to end, 0 for none
	tell := func(s os.Signal) error {
		if number, ok := s.(syscall.Signal); ok {
			told.Store(int64(number))
		}
		return cmd.Process.Signal(s)
	}
	cmd.Cancel = func() error { return tell(syscall.SIGTERM) }
	cmd.WaitDelay = lastWordsMax
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return -1, fmt.Errorf("%w: %w", ErrStart, err)
	}
	if err := cmd.Start(); err != nil {
		return -1, fmt.Errorf("%w: %w", ErrStart, err)
	}
	go pass(&passage{streams.SideClient, q, stdin}, stdin, opts.Stdin)
	recording, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecording()
	ended := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() { forward(opts.Signals, tell, ended) })
	group.Go(func() {
		if _, err := record(recording, q, opts); err != nil {
			opts.Report(err)
		}
	})
	_ = cmd.Wait() // the state says how the server ended; that its client is gone is no failure of ours
	at := time.Now()
	close(ended)
	q.close()
	defer time.AfterFunc(recordGrace, stopRecording).Stop()
	group.Wait()
	code = exitCode(cmd.ProcessState)
	if _, err := opts.Publisher.Publish(recording, exitEvent(opts, code, code == 0 || told.Load() != 0 && code == signalled(told.Load()), at)); err != nil {
		opts.Report(err)
	}
	return code, nil
}

// passage is one direction: what is written to it goes on at once, and into the queue. It is queued first, which takes
// no time to speak of, so that no answer gets ahead of its request.
type passage struct {
	side  streams.Side
	queue *queue
	to    io.Writer
}

func (p *passage) Write(data []byte) (int, error) {
	p.queue.put(p.side, data)
	return p.to.Write(data)
}

// pass copies the client's bytes to the server until either is gone.
func pass(to io.Writer, stdin io.Closer, from io.Reader) {
	_, _ = io.CopyBuffer(to, struct{ io.Reader }{from}, make([]byte, copyBytes))
	_ = stdin.Close()
}

// forward passes signals on until the server has ended.
func forward(signals <-chan os.Signal, tell func(os.Signal) error, ended <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			_ = tell(s)
		case <-ended:
			return
		}
	}
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return signalled(int64(status.Signal()))
	}
	return state.ExitCode()
}

// signalled is the exit code of what a signal ended, as shells have it.
func signalled(signal int64) int { return 128 + int(signal) }
