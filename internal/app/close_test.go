package app

import (
	"context"
	"errors"
	"testing"
)

// A part that does not end, such as a long compaction, does not keep the program from ending.
func TestCloseEndsWithItsContext(t *testing.T) {
	stopped := false
	p := &Pipeline{stop: func() { stopped = true }, done: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Close(ctx); !errors.Is(err, errStillRunning) || !stopped {
		t.Errorf("stopped %v, %v", stopped, err)
	}
}
