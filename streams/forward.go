package streams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// metaHub is the key, in the metadata of the consumer of an edge, of the id of its hub's log.
const metaHub = "assay.hub"

// ForwardFrom makes the durable consumer with which an edge forwards ready: it begins behind the last frame that the hub has, and that is
// known or acknowledged. It also returns the sequence of that. A hub whose log is another than last time gets everything that this
// log has.
func (l *Log) ForwardFrom(ctx context.Context, hub string, known uint64) (c jetstream.Consumer, after uint64, err error) {
	c, err = l.bronze.Consumer(ctx, ConsumerForward)
	if err == nil && c.CachedInfo().Config.Metadata[metaHub] != hub {
		if err = l.bronze.DeleteConsumer(ctx, ConsumerForward); err == nil {
			err = jetstream.ErrConsumerNotFound
		}
	}
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		cfg := l.consumerConfig(ConsumerForward, "")
		cfg.AckPolicy, cfg.Metadata = jetstream.AckAllPolicy, map[string]string{metaHub: hub}
		c, err = l.bronze.CreateConsumer(ctx, cfg)
	case err == nil:
		after = c.CachedInfo().AckFloor.Stream
	}
	if err == nil {
		after = max(after, known)
		_, err = l.bronze.ResetConsumerToSequence(ctx, ConsumerForward, after+1)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("streams: consumer %s: %w", ConsumerForward, err)
	}
	return c, after, nil
}

// Forwarding is how far an edge has forwarded its log.
type Forwarding struct {
	Sequence uint64    // of the last frame that the hub has
	Lag      uint64    // frames that the hub does not have yet
	Bytes    uint64    // about how many bytes these take
	Full     float64   // what part of its limit the log has reached, 0 to 1
	Oldest   time.Time // when the first of these was stored; zero if there are none
}

// Forwarding tells how far the log is forwarded. Without a consumer everything is still to be.
func (l *Log) Forwarding(ctx context.Context) (f Forwarding, err error) {
	info, err := l.bronze.Info(ctx)
	if err != nil {
		return f, scanError(err)
	}
	state, limit := info.State, info.Config.MaxBytes
	c, err := l.bronze.Consumer(ctx, ConsumerForward)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		f.Lag = state.Msgs
	case err != nil:
		return f, scanError(err)
	default:
		f.Lag, f.Sequence = c.CachedInfo().NumPending+uint64(c.CachedInfo().NumAckPending), c.CachedInfo().AckFloor.Stream
	}
	if state.Msgs > 0 {
		f.Bytes = uint64(float64(state.Bytes) / float64(state.Msgs) * float64(f.Lag))
	}
	if limit > 0 {
		f.Full = float64(state.Bytes) / float64(limit)
	}
	if f.Lag == 0 {
		return f, nil
	}
	first, err := l.bronze.GetMsg(ctx, f.Sequence+1, jetstream.WithGetMsgSubject("bronze.>"))
	if errors.Is(err, jetstream.ErrMsgNotFound) { // it was forwarded meanwhile
		return f, nil
	}
	if err != nil {
		return f, scanError(err)
	}
	f.Oldest = first.Time.UTC()
	return f, nil
}

// Between tells what is missing of the frames after one sequence and before another: whether the log has any of them, and how many left
// it without being erased.
func (l *Log) Between(ctx context.Context, after, before uint64) (some bool, left uint64, err error) {
	for m, err := range Scan(ctx, l.bronze, ReplayOptions{FromSeq: after + 1, ToSeq: before - 1, HeadersOnly: true}) {
		return m.Seq < before, 0, err
	}
	gaps, err := l.Gaps(ctx)
	if err != nil {
		return false, 0, err
	}
	m := absence{gaps: gaps}
	m.add(after+1, before-1)
	for _, s := range m.found {
		left += s.To - s.From + 1
	}
	return false, left, nil
}

// OpenHub opens as much of a hub's log as an edge needs: the frames and the tombstones. The connection stays the caller's. Errors wrap
// ErrUndefined if there is no log.
func OpenHub(ctx context.Context, nc *nats.Conn) (*Log, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return nil, fmt.Errorf("streams: open: %w", err)
	}
	l := &Log{nc: nc, js: js, cfg: DefaultConfig()}
	l.bronze, err = js.Stream(ctx, StreamBronze)
	if err == nil {
		l.tombstones, err = js.KeyValue(ctx, BucketForgotten)
	}
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrBucketNotFound):
		return nil, fmt.Errorf("%w: %w", ErrUndefined, err)
	case err != nil:
		return nil, scanError(err)
	}
	l.id = idOf(l.bronze.CachedInfo())
	return l, l.CheckForgotten(ctx)
}

// CheckForgotten notes what other processes have forgotten.
func (l *Log) CheckForgotten(ctx context.Context) error {
	bucket, err := l.js.Stream(ctx, bucketStream+BucketForgotten)
	if err != nil {
		return scanError(err)
	}
	last := bucket.CachedInfo().State.LastSeq
	if l.buried.Load() == last {
		return nil
	}
	if err := l.loadForgotten(ctx); err != nil {
		return err
	}
	l.buried.Store(last)
	return nil
}
