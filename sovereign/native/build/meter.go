package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// How often progress is shown: on a terminal one line is rewritten, elsewhere each is a new one.
const (
	intervalTerminal = time.Second
	intervalLog      = 20 * time.Second
)

// meter shows the progress of a build until it is stopped.
type meter struct {
	out      *os.File
	terminal bool
	started  time.Time
	ended    chan struct{}
	shown    sync.WaitGroup

	mu       sync.Mutex
	progress *progress
}

func startMeter(out *os.File) *meter {
	progress, err := newProgress(weightsTable)
	if err != nil {
		panic(err) // the table is part of the program, and a test reads it
	}
	m := &meter{
		out: out, terminal: term.IsTerminal(int(out.Fd())), started: time.Now(), ended: make(chan struct{}), progress: progress,
	}
	m.shown.Go(m.run)
	return m
}

func (m *meter) finished(unit string, fresh bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.progress.finished(unit, fresh)
}

func (m *meter) stop() {
	close(m.ended)
	m.shown.Wait()
}

func (m *meter) run() {
	interval := intervalLog
	if m.terminal {
		interval = intervalTerminal
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			m.show()
		case <-m.ended:
			if m.terminal {
				fmt.Fprint(m.out, "\r\x1b[K")
			}
			return
		}
	}
}

func (m *meter) show() {
	m.mu.Lock()
	line := m.progress.line(time.Since(m.started))
	m.mu.Unlock()
	if m.terminal {
		fmt.Fprintf(m.out, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(m.out, line)
}
