package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"

	"assay/internal/capture"
	"assay/streams"
)

// Limits of an Outbox.
const (
	// BytesMax is the default limit on what waits to be sent.
	BytesMax = 256 << 20
	// segmentBytes is the size at which the next segment begins; the default.
	segmentBytes = 8 << 20
	// Frames and bytes that are sent at a time.
	sendFramesMax, sendBytesMax = 256, 1 << 20
	// attemptMax is how long one attempt to send may take.
	attemptMax = 30 * time.Second
	// Waiting times between attempts, growing from one to the other.
	retryMin, retryMax = 200 * time.Millisecond, 30 * time.Second
	// syncDelay is how long what was written waits for more before the disk has it.
	syncDelay = 100 * time.Millisecond
)

// Options configure an Outbox; zero values take the defaults.
type Options struct {
	BytesMax     int64       // limit on what waits; default BytesMax
	SegmentBytes int64       // size of a file; default 8 MiB
	Report       func(error) // if set, told of frames lost and of files that cannot be used; called from several goroutines
	// Away, if set, is told why frames cannot be sent, once when that begins, and nil once all that waited was sent.
	Away func(reason error)
}

// Outbox is a Publisher that takes frames at once and hands them on to another in the background.
type Outbox struct {
	dir  string
	next capture.Publisher
	opts Options

	ctx      context.Context // ends the forwarding
	cancel   context.CancelFunc
	appended chan struct{} // holds one element while there may be something to send
	closing  chan struct{}
	done     chan struct{} // closed when forward has returned

	mu       sync.Mutex // guards what follows
	closed   bool
	segments []*segment // not wholly sent, oldest first
	own      *segment   // the last of them, if it is ours to append to
	waiting  int64      // bytes, of all of them
	sync     *time.Timer
	syncing  bool
	away     bool
}

// Open starts an Outbox in the directory dir, which it creates. What earlier ones left there is sent too.
func Open(dir string, next capture.Publisher, opts Options) (*Outbox, error) {
	if opts.BytesMax == 0 {
		opts.BytesMax = BytesMax
	}
	if opts.SegmentBytes == 0 {
		opts.SegmentBytes = segmentBytes
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	s := &Outbox{
		dir: dir, next: next, opts: opts,
		appended: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	if err := s.adopt(); err != nil {
		return nil, errors.Join(err, s.closeSegments())
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.sync = time.AfterFunc(time.Hour, s.syncOwn)
	s.sync.Stop()
	go s.forward()
	return s, nil
}

// adopt takes the segments that no process has any more.
func (s *Outbox) adopt() error {
	left, err := filepath.Glob(filepath.Join(s.dir, "*.spool"))
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	slices.Sort(left) // their names tell when they were made
	for _, path := range left {
		f, err := openSegment(path)
		if err != nil {
			return err
		}
		if f != nil {
			s.segments = append(s.segments, f)
			s.waiting += f.waiting()
		}
	}
	return nil
}

// Publish keeps the frames on disk and returns; the acknowledgements say nothing of the log. A frame for which there is
// no room is lost and reported, so that recording goes on when there is room again. The only error is ErrClosed.
func (s *Outbox) Publish(_ context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	for _, f := range frames {
		if err := s.append(f); err != nil {
			s.lost(f, err)
		}
	}
	if !s.syncing {
		s.syncing = true
		s.sync.Reset(syncDelay)
	}
	select {
	case s.appended <- struct{}{}:
	default:
	}
	return make([]streams.Ack, len(frames)), nil
}

// append adds a frame to the segment of our own, of which it begins the next when one is full.
func (s *Outbox) append(f *streams.Frame) error {
	record, err := newRecord(f)
	if err != nil {
		return err
	}
	if s.waiting+int64(len(record)) > s.opts.BytesMax {
		return fmt.Errorf("%w: %d MiB wait to be sent already: see that the server is reachable", ErrFull, s.opts.BytesMax>>20)
	}
	if s.own != nil && s.own.end >= s.opts.SegmentBytes {
		if err := s.own.Sync(); err != nil {
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
		s.own = nil
	}
	if s.own == nil {
		if s.own, err = createSegment(filepath.Join(s.dir, uuid.Must(uuid.NewV7()).String()+".spool")); err != nil {
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
		s.segments = append(s.segments, s.own)
	}
	if err := s.own.append(record); err != nil {
		return err
	}
	s.waiting += int64(len(record))
	return nil
}

// syncOwn makes what waits outlive a power failure.
func (s *Outbox) syncOwn() {
	s.mu.Lock()
	own := s.own
	s.syncing = false
	if own == nil || own.waiting() == 0 || s.closed {
		own = nil
	}
	s.mu.Unlock()
	if own != nil {
		if err := own.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
			s.report(fmt.Errorf("outbox: %w", err))
		}
	}
}

// Close sends what is left until ctx ends; while the log is away it tries once. The error wraps ErrLeft if that was not
// enough.
func (s *Outbox) Close(ctx context.Context) error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	s.sync.Stop()
	close(s.closing)
	defer context.AfterFunc(ctx, s.cancel)()
	<-s.done
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting > 0 {
		return errors.Join(fmt.Errorf("%w: %d bytes in %s; they are sent the next time", ErrLeft, s.waiting, s.dir), s.closeSegments())
	}
	return s.closeSegments()
}

func (s *Outbox) closeSegments() (err error) {
	for _, f := range s.segments {
		err = errors.Join(err, f.close())
	}
	return err
}

// forward sends what waits and what comes until the outbox is closed. It is the one goroutine of an Outbox.
func (s *Outbox) forward() {
	defer close(s.done)
	for {
		if err := s.drain(); err != nil {
			return
		}
		select {
		case <-s.appended:
		case <-s.closing:
			if s.isEmpty() {
				return
			}
		}
	}
}

func (s *Outbox) isEmpty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting == 0
}

// drain sends frames until none is left. Its error is the end: of ctx, or of an outbox that is being closed while the log is
// away, after one last attempt.
func (s *Outbox) drain() error {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = retryMin, retryMax
	for last := false; ; {
		b := s.batch()
		if len(b.frames) == 0 {
			s.tell(nil)
			return nil
		}
		n, err := s.send(b.frames)
		if n > 0 {
			s.sent(b.segment, b.ends[n-1])
		}
		if err != nil {
			s.tell(err)
			if last {
				return ErrClosed
			}
			if last, err = s.wait(retry.NextBackOff()); err != nil {
				return err
			}
			continue
		}
		retry.Reset()
	}
}

// batch returns the oldest frames. What cannot be read is given up.
func (s *Outbox) batch() batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.segments) > 0 {
		from := s.segments[0]
		b, lost, err := from.next(sendFramesMax, sendBytesMax)
		if err != nil {
			lost, from.end = from.waiting(), from.begin
		}
		if s.waiting -= lost; lost > 0 {
			s.report(errors.Join(fmt.Errorf("outbox: the last %d bytes of %s cannot be read", lost, from.Name()), err))
		}
		if len(b.frames) > 0 || from == s.own {
			return b
		}
		s.remove()
	}
	return batch{}
}

// remove drops the oldest segment, of which nothing waits.
func (s *Outbox) remove() {
	if err := s.segments[0].close(); err != nil {
		s.report(err)
	}
	s.segments = s.segments[1:]
}

// sent notes that a segment was sent up to end.
func (s *Outbox) sent(from *segment, end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting -= end - from.begin
	if err := from.sent(end); err != nil {
		s.report(err) // after a crash these frames are sent once more
	}
	if from.waiting() > 0 {
		return
	}
	if from == s.own && from.end < s.opts.SegmentBytes {
		return // there is room in it
	}
	if from == s.own {
		s.own = nil
	}
	s.remove()
}

// send hands frames on and returns how many of them, from the first on, need not be sent again. Those that will never be
// taken are lost, and the others sent one by one.
func (s *Outbox) send(frames []*streams.Frame) (int, error) {
	ctx, cancel := context.WithTimeout(s.ctx, attemptMax)
	defer cancel()
	acks, err := s.next.Publish(ctx, frames...)
	if err == nil {
		return len(frames), nil
	}
	n := len(acks)
	if !errors.Is(err, capture.ErrRefused) {
		return n, err
	}
	if len(frames) == 1 {
		s.lost(frames[0], err)
		return 1, nil
	}
	for ; n < len(frames); n++ {
		if _, err := s.send(frames[n : n+1]); err != nil {
			return n, err
		}
	}
	return n, nil
}

// wait lets time pass before the next attempt. It reports whether the outbox is being closed, which does not wait.
func (s *Outbox) wait(d time.Duration) (closing bool, err error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.ctx.Done():
		return true, context.Cause(s.ctx)
	case <-s.closing:
		return true, nil
	case <-timer.C:
		return false, nil
	}
}

func (s *Outbox) lost(f *streams.Frame, err error) {
	s.report(fmt.Errorf("%d events of stream %q, from %d on, are not recorded: %w", f.Count, f.Stream, f.Position, err))
}

func (s *Outbox) report(err error) {
	if s.opts.Report != nil {
		s.opts.Report(err)
	}
}

// tell tells when the log goes away and when all that waited for it was sent.
func (s *Outbox) tell(reason error) {
	s.mu.Lock()
	changed := s.away != (reason != nil)
	s.away = reason != nil
	s.mu.Unlock()
	if changed && s.opts.Away != nil && s.ctx.Err() == nil {
		s.opts.Away(reason)
	}
}
