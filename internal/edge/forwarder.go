package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"assay/streams"
)

const (
	// linger is how long a frame waits for others to share a batch with.
	linger = 10 * time.Millisecond
	// appendTimeout is how long a batch may take to get to the hub and be stored there.
	appendTimeout = 2 * time.Minute
	// Pauses between attempts while the hub is away, growing from one to the other.
	retryMin, retryMax = 200 * time.Millisecond, 15 * time.Second
	// fetchBytes and fetchMax are about what is asked of the log at a time.
	fetchBytes, fetchMax = 2 * streams.EdgeBatchBytesMax, 2 * streams.EdgeBatchMax
)

// Options configure a Forwarder.
type Options struct {
	Log    *streams.Log
	Edge   string                                 // streams.Log.EdgeName
	Open   func(ctx context.Context) (Hub, error) // Place.Open
	Decode Decode                                 // to leave out frames that hold nothing but what this log has forgotten
	Logger *slog.Logger
}

// Forwarder forwards a log to a hub.
type Forwarder struct {
	opts Options

	mu    sync.Mutex
	state State
}

// State is what a Forwarder knows of how it stands.
type State struct {
	Sequence  uint64    // last frame that the hub has
	Forwarded uint64    // frames, since the start
	Refused   uint64    // of them, by the hub: they hold what is forgotten there
	Lost      uint64    // frames that left the log before the hub had them, since the start
	Away      string    // why the hub takes nothing, "" while it does
	Since     time.Time // when that began
	Connected bool      // the hub has told what it has
}

// New returns a Forwarder. Run starts it.
func New(opts Options) *Forwarder { return &Forwarder{opts: opts} }

// State returns how it stands.
func (f *Forwarder) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

func (f *Forwarder) note(change func(s *State)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.state)
}

// Run forwards until ctx ends. While the hub is away it tries again, and says so once.
func (f *Forwarder) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = retryMin, retryMax
	for {
		before := f.State().Forwarded
		err := f.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if f.State().Forwarded > before {
			pause.Reset()
		}
		f.away(err)
		timer := time.NewTimer(pause.NextBackOff())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// away notes that the hub takes nothing, and why.
func (f *Forwarder) away(err error) {
	f.note(func(s *State) {
		if s.Away == "" {
			s.Since = time.Now()
			f.opts.Logger.Warn("frames cannot be forwarded and wait in the log", "error", err)
		}
		s.Away, s.Connected = err.Error(), false
	})
}

// back notes that the hub takes frames.
func (f *Forwarder) back() {
	f.note(func(s *State) {
		if s.Away != "" {
			f.opts.Logger.Info("frames are forwarded again", "away", time.Since(s.Since).Round(time.Second))
		}
		s.Away, s.Since = "", time.Time{}
	})
}

// session forwards until something fails.
func (f *Forwarder) session(ctx context.Context) (err error) {
	hub, err := f.opts.Open(ctx)
	if err != nil {
		return err
	}
	defer hub.Close()
	log, end, err := hub.End(ctx)
	if err != nil {
		return err
	}
	if err := f.checkHistory(ctx, end); err != nil {
		return err
	}
	consumer, after, err := f.opts.Log.ForwardFrom(ctx, log, end.Sequence)
	if err != nil {
		return err
	}
	f.back()
	f.note(func(s *State) { s.Sequence, s.Connected = after, true })
	run := forwarding{Forwarder: f, hub: hub, last: after, size: streams.FetchSize{Bytes: fetchBytes, Max: fetchMax}}
	for {
		if err := run.some(ctx, consumer); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// checkHistory compares the last frame that the hub has with this log's. They differ where the log is a backup that has gone on by
// itself.
func (f *Forwarder) checkHistory(ctx context.Context, end streams.EdgeEnd) error {
	if end.Sequence == 0 {
		return nil
	}
	info, err := f.opts.Log.Bronze().Info(ctx)
	if err != nil {
		return fmt.Errorf("edge: read the log: %w", err)
	}
	digest := ""
	if end.Sequence <= info.State.LastSeq {
		msg, err := f.opts.Log.Bronze().GetMsg(ctx, end.Sequence)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			return nil // it has left the log since
		case err != nil:
			return fmt.Errorf("edge: read frame %d: %w", end.Sequence, err)
		}
		digest = streams.EdgeMsg(f.opts.Edge, streams.MessageOf(msg)).Header.Get(streams.HeaderEdgeDigest)
	}
	if digest != end.Digest {
		return fmt.Errorf("%w: frame %d of %s: is this a copy of another node's data, or a backup? Ingest its recordings into a new data directory",
			ErrHistory, end.Sequence, f.opts.Edge)
	}
	return nil
}

// forwarding is a Forwarder while it has a hub.
type forwarding struct {
	*Forwarder
	hub  Hub
	last uint64 // sequence up to which the hub has everything
	size streams.FetchSize
}

// some forwards what one request of the log brings.
func (f *forwarding) some(ctx context.Context, consumer jetstream.Consumer) error {
	fetching, err := streams.Fetch(ctx, consumer, f.size.Messages())
	if err != nil {
		return err
	}
	defer fetching.Close()
	messages, bytes := 0, 0
	for {
		b, more, err := f.gather(ctx, fetching.Messages())
		if err == nil && b.to > f.last {
			err = f.send(ctx, b)
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
		messages, bytes = messages+b.messages, bytes+b.bytes
		if !more {
			f.size.Got(messages, bytes)
			return fetching.Err()
		}
	}
}

// batch is what goes to the hub together.
type batch struct {
	msgs            []*nats.Msg
	ack             jetstream.Msg // acknowledges all of it
	to              uint64        // sequence of the last frame, also of one that is left out
	messages, bytes int
}

// gather waits for a frame, and a little for more.
func (f *forwarding) gather(ctx context.Context, msgs <-chan jetstream.Msg) (b batch, more bool, err error) {
	b.to = f.last
	timer := time.NewTimer(linger)
	timer.Stop()
	defer timer.Stop()
	for len(b.msgs) < streams.EdgeBatchMax && b.bytes < streams.EdgeBatchBytesMax {
		select {
		case msg, open := <-msgs:
			if !open {
				return b, false, nil
			}
			if err := f.add(ctx, &b, msg); err != nil {
				return b, false, err
			}
			if b.messages == 1 {
				timer.Reset(linger)
			}
		case <-timer.C:
			return b, true, nil
		case <-ctx.Done():
			return b, false, nil
		}
	}
	return b, true, nil
}

// add takes a message into a batch, if the hub does not have it. The messages must come in order, without one missing.
func (f *forwarding) add(ctx context.Context, b *batch, msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("edge: read the log: %w", err)
	}
	m := streams.Message{
		Subject: msg.Subject(), Header: msg.Headers(), Data: msg.Data(), Bytes: len(msg.Data()),
		Seq: meta.Sequence.Stream, Time: meta.Timestamp.UTC(),
	}
	b.messages, b.bytes = b.messages+1, b.bytes+len(m.Data)
	switch {
	case m.Seq <= b.to:
		return nil // it was delivered again
	case m.Seq > b.to+1:
		if err := f.passGap(ctx, b.to, m.Seq); err != nil {
			return err
		}
	}
	b.to, b.ack = m.Seq, msg
	forgotten := f.opts.Log.Forgotten()
	has := func(workflow string) bool { return forgotten.Has(workflow, m.Seq) }
	if m.Seq > forgotten.UpTo() || !f.opts.Decode.forgottenFrame(m, has) {
		b.msgs = append(b.msgs, streams.EdgeMsg(f.opts.Edge, m))
	}
	return nil
}

// passGap makes sure that the log has no frames between two sequences, and tells of those that its limits took.
func (f *forwarding) passGap(ctx context.Context, after, before uint64) error {
	some, left, err := f.opts.Log.Between(ctx, after, before)
	switch {
	case err != nil:
		return err
	case some:
		return fmt.Errorf("%w: after sequence %d", errLost, after)
	case left > 0:
		f.opts.Logger.Error("frames have left the log before the hub had them", "frames", left,
			"first", after+1, "last", before-1, "remedy", "raise log.max_bytes or log.max_age")
		f.note(func(s *State) { s.Lost += left })
	}
	return nil
}

// send hands a batch to the hub, and acknowledges it when the hub has it durably.
func (f *forwarding) send(ctx context.Context, b batch) error {
	refused := 0
	if len(b.msgs) > 0 {
		sending, cancel := context.WithTimeout(ctx, appendTimeout)
		defer cancel()
		var err error
		if refused, err = f.hub.Append(sending, b.msgs); err != nil {
			return err
		}
	}
	if err := b.ack.DoubleAck(ctx); err != nil {
		return fmt.Errorf("edge: acknowledge frame %d: %w", b.to, err)
	}
	f.last = b.to
	f.note(func(s *State) {
		s.Sequence = b.to
		s.Forwarded += uint64(len(b.msgs) - refused)
		s.Refused += uint64(refused)
	})
	return nil
}
