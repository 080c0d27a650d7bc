package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"assay/internal/capture/framing"
	"assay/streams"
)

// Recorder cuts the bytes of one source stream into frames and publishes them in order. Its methods are for one
// goroutine at a time.
type Recorder struct {
	opts   Options
	pub    Publisher
	split  *framing.Splitter
	ctx    context.Context // its cause is the first failure
	cancel context.CancelCauseFunc

	mu      sync.Mutex // guards pending, armed and opts.Side
	pending *cutter
	armed   bool // linger is running

	linger *time.Timer   // fires when pending has waited long enough
	cut    chan *piece   // in order
	done   chan struct{} // closed when send has returned
	result Result        // send's, until done

	reserved   int // bytes out of opts.Unfinished
	unfinished int // bytes of the tail, where that is no event
	closed     bool
}

// New starts a recorder, which works until it is closed or ctx ends. It must be closed in any case.
func New(ctx context.Context, pub Publisher, opts Options) *Recorder {
	opts.Limits = opts.Limits.Defaults()
	if opts.Budget == nil {
		opts.Budget = NewBudget(int64(opts.Limits.EventBytes))
	}
	r := &Recorder{
		opts: opts, pub: pub, split: framing.NewSplitter(opts.Format, opts.Limits.EventBytes),
		linger: time.NewTimer(time.Hour), cut: make(chan *piece, FramesWaitingMax), done: make(chan struct{}),
		result: Result{First: opts.Position, Next: opts.Position},
	}
	r.linger.Stop()
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	r.pending = newCutter(&r.opts)
	go r.send()
	return r
}

// Write takes the next bytes of the stream, cut anywhere. It waits while the log is behind. Its error is what made the
// recorder fail; what had been written by then may or may not be in the log.
func (r *Recorder) Write(p []byte) (int, error) {
	if r.closed {
		return 0, ErrClosed
	}
	for unit, err := range r.split.Write(p) {
		if err == nil {
			err = r.add(unit)
		} else {
			err = r.leaveOut(err)
		}
		if err != nil {
			r.cancel(err)
			return 0, err
		}
	}
	if err := r.reserve(max(0, r.split.Unfinished()-r.opts.Limits.FrameBytes)); err != nil {
		r.cancel(err)
	}
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return len(p), nil
}

// reserve takes the bytes of an unfinished event that no frame's size allows for out of the budget for such. It does
// not wait, for those who hold the budget may be waiting for us.
func (r *Recorder) reserve(n int) error {
	switch b := r.opts.Unfinished; {
	case b == nil || n == r.reserved:
	case n < r.reserved:
		b.release(r.reserved - n)
	case !b.tryAcquire(n - r.reserved):
		return fmt.Errorf("%w: no memory is left for an event of more than %d bytes", ErrBusy, r.opts.Limits.FrameBytes)
	}
	r.reserved = n
	return nil
}

// From says which side sends what is written from now on; the events of one side share frames. An event that the other
// side has begun ends here.
func (r *Recorder) From(side streams.Side) error {
	if r.closed {
		return ErrClosed
	}
	if r.opts.Side == side {
		return nil
	}
	if err := r.endTail(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opts.Side = side
	return nil
}

// In says which exchange what is written from now on is part of, in place of the one that the options name. An event that was begun in
// another ends here.
func (r *Recorder) In(exchange string) error {
	if r.closed {
		return ErrClosed
	}
	if r.opts.Exchange == exchange {
		return nil
	}
	if err := r.endTail(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opts.Exchange = exchange
	return nil
}

// At says when what is written from now on was captured, in place of when it is written.
func (r *Recorder) At(captured time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending.arrival = captured
}

// Close ends the stream: what follows the last whole event becomes a frame without events. It answers when all is
// durable, or with the first failure, or when ctx ends.
func (r *Recorder) Close(ctx context.Context) (Result, error) {
	if r.closed {
		return Result{}, ErrClosed
	}
	if err := r.endTail(); err != nil {
		r.cancel(err)
	}
	return r.Abandon(ctx)
}

// Abandon is Close for a stream that broke off: whole events are kept, what follows the last one is not.
func (r *Recorder) Abandon(ctx context.Context) (Result, error) {
	if r.closed {
		return Result{}, ErrClosed
	}
	r.closed = true
	if err := r.endFrame(); err != nil {
		r.cancel(err)
	}
	close(r.cut)
	defer context.AfterFunc(ctx, func() { r.cancel(context.Cause(ctx)) })()
	<-r.done
	r.linger.Stop()
	_ = r.reserve(0)
	err := context.Cause(r.ctx)
	r.cancel(nil)
	r.result.Unfinished = r.unfinished
	return r.result, err
}

// add takes one unit into the pending frame and hands on what is ready.
func (r *Recorder) add(u framing.Unit) error {
	if err := r.endFrameIf(func() *piece { return r.pending.before(u) }); err != nil {
		return err
	}
	return r.endFrameIf(func() *piece {
		p := r.pending.add(u)
		if r.opts.Live && r.pending.count > 0 && !r.armed {
			r.linger.Reset(r.opts.Limits.Linger)
			r.armed = true
		}
		return p
	})
}

// leaveOut keeps the position free of an event that is too large, if the caller wants to hear of it; else it fails.
func (r *Recorder) leaveOut(err error) error {
	var large *framing.TooLargeError
	if !errors.As(err, &large) || r.opts.TooLarge == nil {
		return err
	}
	if err := r.endFrame(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opts.TooLarge(r.pending.position, large.Offset)
	r.pending.position++
	return nil
}

// endTail ends the frame, and the unfinished event in one of its own: the others stay the same when it is finished later.
func (r *Recorder) endTail() error {
	if err := r.endFrame(); err != nil {
		return err
	}
	if tail := r.split.Tail(); len(tail.Raw) > 0 {
		if tail.Events == 0 && bytes.Contains(tail.Raw, []byte("data")) {
			r.unfinished = len(tail.Raw)
		}
		if err := r.add(tail); err != nil {
			return err
		}
	}
	return r.endFrame()
}

func (r *Recorder) endFrame() error { return r.endFrameIf(r.pending.cut) }

// endFrameIf hands on the piece that cut returns, if any.
func (r *Recorder) endFrameIf(cut func() *piece) error {
	r.mu.Lock()
	p := cut()
	r.mu.Unlock()
	if p == nil {
		return nil
	}
	return r.hand(p)
}

// hand passes a piece on to send, waiting while too much is on its way. It must not hold mu, which send takes.
func (r *Recorder) hand(p *piece) error {
	if err := r.opts.Budget.acquire(r.ctx, len(p.frame.Body)); err != nil {
		return context.Cause(r.ctx)
	}
	p.held = len(p.frame.Body)
	select {
	case r.cut <- p:
		return nil
	case <-r.ctx.Done():
		r.opts.Budget.release(p.held)
		return context.Cause(r.ctx)
	}
}

// send publishes pieces until the recorder is closed or fails. It is the one goroutine of a recorder.
func (r *Recorder) send() {
	defer close(r.done)
	for more := true; more; {
		var batch []*piece
		batch, more = r.collect()
		err := r.publish(batch)
		for _, p := range batch {
			r.opts.Budget.release(p.held)
		}
		if err != nil {
			r.cancel(err)
		}
	}
}

// collect waits for pieces and takes all that are ready, so that the next batch gathers while one is on its way to the
// disk. It also cuts the pending frame if that has lingered.
func (r *Recorder) collect() (batch []*piece, more bool) {
	lingered := false
	select {
	case p, open := <-r.cut:
		if !open {
			return nil, false
		}
		batch = append(batch, p)
	case <-r.linger.C:
		lingered = true
	}
	r.mu.Lock() // until then the writer may cut, but begins a new frame only after it has handed the old one on
	defer r.mu.Unlock()
	r.armed = r.armed && !lingered
	for {
		select {
		case p, open := <-r.cut:
			if !open {
				return batch, false
			}
			batch = append(batch, p)
		default:
			if lingered && r.pending.count > 0 && !r.pending.storedIsLonger() {
				batch = append(batch, r.pending.cut())
			}
			return batch, true
		}
	}
}

// publish makes the batch durable and counts it. After a failure it does nothing.
func (r *Recorder) publish(batch []*piece) error {
	if r.ctx.Err() != nil {
		return nil
	}
	var frames []*streams.Frame
	for _, p := range batch {
		if p.stored == 0 {
			frames = append(frames, p.frame)
		}
	}
	if len(frames) > 0 {
		acks, err := r.pub.Publish(r.ctx, frames...)
		if err != nil {
			return err
		}
		for _, ack := range acks {
			r.result.Sequence = max(r.result.Sequence, ack.Seq)
		}
	}
	for _, p := range batch {
		r.count(p)
	}
	return nil
}

func (r *Recorder) count(p *piece) {
	r.result.Next = p.frame.Position + uint64(p.frame.Count)
	r.result.Events += p.frame.Count
	r.result.Bytes += int64(len(p.frame.Body))
	r.result.Frames++
	if p.stored > 0 {
		r.result.Stored++
		r.result.Sequence = max(r.result.Sequence, p.stored)
	}
	if r.opts.Progress != nil {
		r.opts.Progress(len(p.frame.Body), p.frame.Count)
	}
}
