package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"

	"assay/internal/capture"
	"assay/streams"
)

// Limits of a Spool.
const (
	// BytesMax is the default limit on a spool file.
	BytesMax = 256 << 20
	// attemptMax is how long one attempt to send a frame may take.
	attemptMax = 30 * time.Second
	// Waiting times between attempts, growing from one to the other.
	retryMin, retryMax = 200 * time.Millisecond, 30 * time.Second
)

// Options configure a Spool; zero values take the defaults.
type Options struct {
	BytesMax int64       // limit on the file; default BytesMax
	Report   func(error) // if set, told of each failed attempt and each frame lost; called from several goroutines
}

// Spool is a Publisher that takes frames at once and hands them on to another in the background.
type Spool struct {
	next  capture.Publisher
	opts  Options
	own   *file
	files []*file // to be sent: what others left, then own

	ctx      context.Context // ends the forwarding
	cancel   context.CancelFunc
	mu       sync.Mutex
	closed   bool
	appended chan struct{} // holds one element while there may be something to send
	closing  chan struct{}
	done     chan struct{} // closed when forward has returned
}

// Open starts a Spool in the directory dir, which it creates. What earlier ones left there is sent too.
func Open(dir string, next capture.Publisher, opts Options) (*Spool, error) {
	if opts.BytesMax == 0 {
		opts.BytesMax = BytesMax
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s := &Spool{
		next: next, opts: opts,
		appended: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	if err := s.openFiles(dir); err != nil {
		for _, f := range s.files {
			err = errors.Join(err, f.close())
		}
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	go s.forward()
	return s, nil
}

// openFiles adopts the files that no process has any more and adds one of our own.
func (s *Spool) openFiles(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, "*.spool"))
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	for _, path := range append(left, filepath.Join(dir, uuid.Must(uuid.NewV7()).String()+".spool")) {
		f, err := openFile(path, s.opts.BytesMax)
		if err != nil {
			return err
		}
		if f != nil {
			s.files = append(s.files, f)
			s.own = f
		}
	}
	return nil
}

// Publish keeps the frames on disk and returns; the acknowledgements say nothing of the log. A frame for which there is
// no room is lost and reported, so that recording goes on when there is room again. The only error is ErrClosed.
func (s *Spool) Publish(_ context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	for _, f := range frames {
		if err := s.own.append(f); err != nil {
			s.lost(f, err)
		}
	}
	select {
	case s.appended <- struct{}{}:
	default:
	}
	return make([]streams.Ack, len(frames)), nil
}

// Close sends what is left until ctx ends. The error wraps ErrLeft if that was not enough.
func (s *Spool) Close(ctx context.Context) error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	close(s.closing)
	defer context.AfterFunc(ctx, s.cancel)()
	<-s.done
	s.cancel()
	var err error
	for _, f := range s.files {
		if n := f.waiting(); n > 0 {
			err = errors.Join(err, fmt.Errorf("%w: %d bytes in %s; they are sent the next time", ErrLeft, n, f.Name()))
		}
		err = errors.Join(err, f.close())
	}
	return err
}

// forward sends the files, one after the other, and then what comes until the spool is closed. It is the one goroutine
// of a Spool.
func (s *Spool) forward() {
	defer close(s.done)
	for {
		for _, f := range s.files {
			if err := s.drain(f); err != nil && (s.ctx.Err() != nil || f == s.own) {
				return
			}
		}
		select {
		case <-s.appended:
		case <-s.closing:
			if s.own.waiting() == 0 {
				return
			}
		}
	}
}

// drain sends the frames of a file until none is left. Its error is the end of ctx, or a file that cannot be read.
func (s *Spool) drain(f *file) error {
	retry := backoff.NewExponentialBackOff()
	retry.InitialInterval, retry.MaxInterval = retryMin, retryMax
	for {
		frame, end, err := f.next()
		if err != nil {
			s.report(err)
			return err
		}
		if frame == nil {
			return nil
		}
		if err := s.send(frame); errors.Is(err, capture.ErrRefused) {
			s.lost(frame, err)
		} else if err != nil {
			s.report(err)
			if err := wait(s.ctx, retry.NextBackOff()); err != nil {
				return err
			}
			continue
		}
		retry.Reset()
		if err := f.sent(end); err != nil {
			s.report(err)
			return err
		}
	}
}

func (s *Spool) send(frame *streams.Frame) error {
	ctx, cancel := context.WithTimeout(s.ctx, attemptMax)
	defer cancel()
	_, err := s.next.Publish(ctx, frame)
	return err
}

func (s *Spool) lost(f *streams.Frame, err error) {
	s.report(fmt.Errorf("%d events of stream %q, from %d on, are not recorded: %w", f.Count, f.Stream, f.Position, err))
}

func (s *Spool) report(err error) {
	if s.opts.Report != nil && s.ctx.Err() == nil {
		s.opts.Report(err)
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
