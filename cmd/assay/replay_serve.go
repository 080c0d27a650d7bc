package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"

	"assay/internal/app"
	"assay/internal/query/replay"
)

// serveStdio is the address that stands for standard input and output.
const serveStdio = "stdio"

// serveRecording offers a recording over HTTP until it is interrupted.
func (p *program) serveRecording(ctx context.Context, opened *app.Pipeline, address string, s replay.Selection) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("--serve takes host:port or %s: %w", serveStdio, err)
	}
	fmt.Fprintf(p.stderr, "serving the recording at http://%s; interrupt to stop\n", listener.Addr())
	return replay.Serve(ctx, listener, opened.Log(), s)
}

// serveAnswers plays the recorded server of a JSON-RPC session until its input ends.
func (p *program) serveAnswers(ctx context.Context, opened *app.Pipeline, s replay.Selection) error {
	answers, err := replay.Recorded(ctx, opened.Log(), s)
	if err != nil {
		return err
	}
	if in, ok := p.stdin.(io.Closer); ok { // else an interrupt would wait for the next line
		stop := context.AfterFunc(ctx, func() { _ = in.Close() })
		defer stop()
	}
	return answers.Serve(ctx, p.stdin, p.stdout)
}

// try makes tables as another threshold would have made them and prints what that changes.
func (p *program) try(ctx context.Context, opened *app.Pipeline, flags replayFlags) error {
	if !(flags.shed >= 0 && flags.shed <= 1) {
		return fmt.Errorf("--shed %g is not between 0 and 1", flags.shed)
	}
	if _, err := os.Stat(flags.into); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--into %s: it must not exist yet (%w)", flags.into, errors.Join(err, fs.ErrExist))
	}
	meter := p.newMeter("replay")
	trial, err := opened.Try(ctx, flags.into, flags.shed, meter.show)
	meter.finish()
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(trial)
	}
	return table(p.stdout, fmt.Sprintf("COUNT\tNOW\tAT %g\tDIFFERENCE", trial.Shed), func(add func(string, ...any)) {
		for _, c := range []struct {
			name      string
			now, then uint64
		}{
			{"events", trial.Now.Events, trial.Then.Events}, {"traces", trial.Now.Traces, trial.Then.Traces},
			{"shed", trial.Now.Shed, trial.Then.Shed}, {"dead", trial.Now.Dead, trial.Then.Dead},
			{"entities", trial.Now.Entities, trial.Then.Entities},
			{"capabilities", trial.Now.Capabilities, trial.Then.Capabilities}, {"edges", trial.Now.Edges, trial.Then.Edges},
		} {
			add("%s\t%d\t%d\t%+d", c.name, c.now, c.then, int64(c.then-c.now))
		}
	})
}
