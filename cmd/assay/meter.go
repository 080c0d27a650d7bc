package main

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// meter shows how much of a long work is done, where standard error is a terminal.
type meter struct {
	p    *program
	what string
	bar  *progressbar.ProgressBar
}

func (p *program) newMeter(what string) *meter { return &meter{p: p, what: what} }

func (m *meter) show(done, total uint64) {
	if !terminal(m.p.stderr) {
		return
	}
	if m.bar == nil {
		m.bar = progressbar.NewOptions64(int64(total), progressbar.OptionSetWriter(m.p.stderr),
			progressbar.OptionSetDescription(m.what), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("frames"), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	// A picture that fails to be drawn is no reason to fail the work.
	_ = m.bar.Set64(int64(done))
}

func (m *meter) finish() {
	if m.bar != nil {
		_ = m.bar.Finish()
	}
}
