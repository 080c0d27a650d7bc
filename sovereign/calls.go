package sovereign

import (
	"context"
	"sync"
	"sync/atomic"
)

// callsMax limits the native calls under way: each of them occupies a thread.
const callsMax = 64

// calls runs the native calls of a store, which cannot be interrupted, so that a caller can stop waiting for one.
type calls struct {
	slots chan struct{}

	trouble trouble

	ended  atomic.Uint64 // how many calls have
	done   chan struct{} // closed by close
	mu     sync.Mutex
	closed bool
	active sync.WaitGroup
}

// newCalls returns what must be closed.
func newCalls() *calls {
	c := &calls{slots: make(chan struct{}, callsMax), done: make(chan struct{})}
	c.active.Add(1)
	go c.trim()
	return c
}

// do waits for its turn, runs work and returns its result. If ctx ends first, do returns its cause at once; work still runs
// to its end, so that a write may or may not have been done, its result is discarded, and close waits for it.
func do[T any](ctx context.Context, c *calls, work func() (T, error), discard func(T)) (T, error) {
	if err := c.begin(ctx); err != nil {
		var none T
		return none, err
	}
	return run(ctx, c, work, discard)
}

// begin waits for its turn. If it succeeds, run must follow, which calls end.
func (c *calls) begin(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		<-c.slots
		return ErrClosed
	}
	c.active.Add(1)
	return nil
}

// run is do without the waiting: begin came before.
func run[T any](ctx context.Context, c *calls, work func() (T, error), discard func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var (
		done      = make(chan result)
		abandoned = make(chan struct{})
	)
	go func() {
		defer c.end()
		value, err := work()
		c.trouble.note(err)
		select {
		case done <- result{value, err}:
		case <-abandoned:
			if err == nil {
				discard(value)
			}
		}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		close(abandoned)
		var none T
		return none, context.Cause(ctx)
	}
}

func (c *calls) end() {
	<-c.slots
	c.ended.Add(1)
	c.active.Done()
}

// close refuses further calls and waits for those under way until ctx ends. It reports whether it was the first to; the error is
// the context's if calls are left.
func (c *calls) close(ctx context.Context) (first bool, err error) {
	c.mu.Lock()
	first = !c.closed
	if first {
		close(c.done)
	}
	c.closed = true
	c.mu.Unlock()
	over := make(chan struct{})
	go func() {
		c.active.Wait()
		close(over)
	}()
	select {
	case <-over:
		return first, nil
	case <-ctx.Done():
		return first, context.Cause(ctx)
	}
}
