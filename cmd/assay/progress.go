package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"assay/internal/capture"
	"assay/internal/query"
)

// bar shows how far an ingest has come where standard error is a terminal, and nothing elsewhere.
type bar struct{ *progressbar.ProgressBar }

func (p *program) newBar(what string, inputs []capture.Input) bar {
	if !terminal(p.stderr) {
		return bar{}
	}
	var bytes int64
	for _, in := range inputs {
		bytes += in.Bytes
	}
	return bar{progressbar.NewOptions64(bytes, progressbar.OptionSetWriter(p.stderr), progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())}
}

func (b bar) add(bytes, _ int) {
	if b.ProgressBar != nil {
		// A picture that fails to be drawn is no reason to fail the work.
		_ = b.Add(bytes)
	}
}

func (b bar) finish() {
	if b.ProgressBar != nil {
		_ = b.Finish()
	}
}

// spinner shows the counts of the layers while they catch up: on a terminal as one line that is rewritten.
type spinner struct {
	w    io.Writer
	live bool
}

func (p *program) newSpinner() *spinner { return &spinner{w: p.stderr, live: terminal(p.stderr)} }

func (s *spinner) show(v *query.Summary) {
	if s.live {
		fmt.Fprintf(s.w, "\r\033[Kbronze %d events · silver %d · gold %d traces · %d entities · promotions %d published, %d pending",
			v.Bronze.Events, v.Silver.Events, v.Gold.Traces, v.Gold.Entities, v.Promotions.Published, v.Promotions.Pending)
	}
}

func (s *spinner) finish() {
	if s.live {
		fmt.Fprint(s.w, "\r\033[K")
	}
}

func terminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
