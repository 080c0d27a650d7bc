package streams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// tallyKey is the key of the checkpoint in the bucket state.
const tallyKey = "tally"

// Tally is what BRONZE has ever held, also what its limits have removed since.
type Tally struct {
	Frames  uint64 `json:"frames"`
	Events  uint64 `json:"events"`
	Bytes   uint64 `json:"bytes"`    // of the bodies
	LastSeq uint64 `json:"last_seq"` // up to which this counts
}

// Tally counts the frames of BRONZE. It goes on from where the last count ended, so it costs what is new; it misses only
// frames that came and went between two counts. Errors are Scan's.
func (l *Log) Tally(ctx context.Context) (Tally, error) {
	l.tallying.Lock()
	defer l.tallying.Unlock()
	t, err := l.lastTally(ctx)
	if err != nil {
		return Tally{}, err
	}
	for m, err := range Scan(ctx, l.bronze, ReplayOptions{FromSeq: t.LastSeq + 1, HeadersOnly: true}) {
		if err != nil {
			return Tally{}, err
		}
		t.Frames++
		t.Events += parseUint(m.Header.Get(HeaderCount), 1)
		t.Bytes += uint64(m.Bytes)
		t.LastSeq = m.Seq
	}
	l.tally.Store(&t)
	return t, nil
}

// Tallied is the last count, which costs nothing.
func (l *Log) Tallied() Tally {
	if t := l.tally.Load(); t != nil {
		return *t
	}
	return Tally{}
}

// KeepTally counts and keeps the count in the bucket, for the next process and for when frames have left the log.
func (l *Log) KeepTally(ctx context.Context) error {
	t, err := l.Tally(ctx)
	if err != nil {
		return err
	}
	was, revision, err := l.loadTally(ctx)
	if err != nil || t.LastSeq <= was.LastSeq {
		return err
	}
	return l.saveTally(ctx, t, revision)
}

// lastTally is the last count of this process, else the one that was kept. One that is ahead of the stream belongs to an earlier
// stream.
func (l *Log) lastTally(ctx context.Context) (Tally, error) {
	if t := l.tally.Load(); t != nil {
		info, err := l.bronze.Info(ctx)
		if err != nil {
			return Tally{}, fmt.Errorf("streams: tally: %w", err)
		}
		if t.LastSeq <= info.State.LastSeq {
			return *t, nil
		}
	}
	t, _, err := l.loadTally(ctx)
	return t, err
}

// loadTally returns the checkpoint and its revision. One that is ahead of the stream belongs to an earlier stream.
func (l *Log) loadTally(ctx context.Context) (t Tally, revision uint64, err error) {
	info, err := l.bronze.Info(ctx)
	if err != nil {
		return t, 0, fmt.Errorf("streams: tally: %w", err)
	}
	entry, err := l.state.Get(ctx, tallyKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return t, 0, nil
	}
	if err != nil {
		return t, 0, fmt.Errorf("streams: tally: %w", err)
	}
	if err := json.Unmarshal(entry.Value(), &t); err != nil {
		return t, 0, fmt.Errorf("streams: tally: key %s of bucket %s: %w", tallyKey, BucketState, err)
	}
	if t.LastSeq > info.State.LastSeq {
		t = Tally{}
	}
	return t, entry.Revision(), nil
}

// saveTally keeps the checkpoint, unless another process has just done so.
func (l *Log) saveTally(ctx context.Context, t Tally, revision uint64) error {
	value, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("streams: tally: %w", err)
	}
	_, err = l.state.Update(ctx, tallyKey, value, revision)
	if err != nil && !IsConflict(err) {
		return fmt.Errorf("streams: tally: %w", err)
	}
	return nil
}
