package sovereign

import (
	"context"
	"errors"
	"testing"
)

// A native call that takes long is left to itself when the time to close is over, and is waited for where there is time.
func TestCloseLeavesALongCall(t *testing.T) {
	c := newCalls()
	release, begun := make(chan struct{}), make(chan struct{})
	ended := make(chan error)
	go func() {
		_, err := do(t.Context(), c, func() (int, error) { close(begun); <-release; return 0, nil }, func(int) {})
		ended <- err
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if first, err := c.close(ctx); !first || !errors.Is(err, context.Canceled) {
		t.Errorf("first %v, %v", first, err)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if first, err := c.close(t.Context()); first || err != nil {
		t.Errorf("first again: %v, %v", first, err)
	}
}
