package streams

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// acceptedKey is the key, in the bucket state, of what Accept was told.
const acceptedKey = "accepted"

// leftKey is the key, in the bucket state, of the last sequence that a limit of the log is known to have taken.
const leftKey = "left"

// missingMax bounds the stretches that Missing returns.
const missingMax = 1000

// Stretch is a run of sequences of BRONZE.
type Stretch struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// String is the stretch for people.
func (s Stretch) String() string { return fmt.Sprintf("%d to %d", s.From, s.To) }

// Missing returns which frames BRONZE has had and has no more, although neither its limits took them nor Erase: their files
// are gone, or were damaged. It returns up to missingMax stretches, in order. What came after the chain was last extended and
// is missing at the end of the log it cannot know.
//
// A frame is taken to have left by age if the checkpoint after it is that old, and a ring to have dropped frames if it is full.
// So a frame that is missing counts as such until it would have left anyway.
func (l *Log) Missing(ctx context.Context) ([]Stretch, error) {
	accepted, err := l.accepted(ctx)
	if err != nil {
		return nil, err
	}
	return l.absent(ctx, accepted, l.left)
}

// Whole reports whether BRONZE has all frames that it has had, but for those that Erase took: nothing is missing, no loss was
// accepted, and no limit has taken any.
func (l *Log) Whole(ctx context.Context) (bool, error) {
	accepted, err := l.accepted(ctx)
	if err != nil || len(accepted) > 0 {
		return false, err
	}
	gone, err := l.absent(ctx, nil, func(context.Context, *jetstream.StreamInfo) (uint64, error) { return 0, nil })
	return len(gone) == 0, err
}

// absent returns which frames are not there, but for those that Erase took, that were accepted, and that have left.
func (l *Log) absent(
	ctx context.Context, accepted []Stretch, left func(context.Context, *jetstream.StreamInfo) (uint64, error),
) ([]Stretch, error) {
	head, _, err := l.chainHead(ctx) // first, lest it be ahead of what is asked then
	if err != nil {
		return nil, err
	}
	info, err := l.bronze.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return nil, scanError(err)
	}
	gaps, err := l.Gaps(ctx) // last, because a gap is kept before its frames go
	if err != nil {
		return nil, err
	}
	known, err := left(ctx, info)
	if err != nil {
		return nil, err
	}
	m := absence{gaps: withAccepted(gaps, accepted)}
	return m.of(info.State, known, head.Seq), nil
}

// Accept makes Missing pass over stretches that it has returned: somebody has decided to go on without them. The chain still
// shows those that are not at its beginning.
func (l *Log) Accept(ctx context.Context, missing []Stretch) error {
	if len(missing) == 0 {
		return nil
	}
	for {
		accepted, revision, err := l.loadAccepted(ctx)
		if err != nil {
			return err
		}
		value, err := json.Marshal(append(accepted, missing...))
		if err == nil {
			_, err = l.state.Update(ctx, acceptedKey, value, revision)
		}
		if IsConflict(err) {
			continue // another process has just accepted something
		}
		if err != nil {
			return fmt.Errorf("streams: accept what is missing: %w", err)
		}
		return nil
	}
}

func (l *Log) accepted(ctx context.Context) ([]Stretch, error) {
	accepted, _, err := l.loadAccepted(ctx)
	return accepted, err
}

// loadAccepted returns what was accepted and its revision in the bucket, 0 if there is none.
func (l *Log) loadAccepted(ctx context.Context) (accepted []Stretch, revision uint64, err error) {
	entry, err := l.state.Get(ctx, acceptedKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err == nil {
		revision = entry.Revision()
		err = json.Unmarshal(entry.Value(), &accepted)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("streams: key %s of bucket %s: %w", acceptedKey, BucketState, err)
	}
	return accepted, revision, nil
}

// withAccepted adds stretches to gaps, in order.
func withAccepted(gaps []Gap, accepted []Stretch) []Gap {
	for _, s := range accepted {
		gaps = append(gaps, Gap{From: s.From, After: Checkpoint{Seq: s.To}})
	}
	slices.SortFunc(gaps, func(a, b Gap) int { return cmp.Compare(a.From, b.From) })
	return gaps
}

// absence gathers sequences that are not there, in order, less those that are known to be gone.
type absence struct {
	gaps  []Gap
	found []Stretch
}

// of returns what a stream does not have of the sequences after left, up to last.
func (m *absence) of(state jetstream.StreamState, left, last uint64) []Stretch {
	first := max(1, state.FirstSeq)
	m.add(left+1, first-1)
	for _, seq := range state.Deleted {
		if seq >= first { // of an empty stream the server counts sequence 0
			m.add(seq, seq)
		}
	}
	m.add(max(first, state.LastSeq+1), last)
	return m.found
}

func (m *absence) add(from, to uint64) {
	for from <= to {
		for len(m.gaps) > 0 && m.gaps[0].After.Seq < from {
			m.gaps = m.gaps[1:]
		}
		switch {
		case len(m.gaps) == 0 || m.gaps[0].From > to:
			m.found = join(m.found, Stretch{from, to})
			return
		case m.gaps[0].From > from:
			m.found = join(m.found, Stretch{from, m.gaps[0].From - 1})
		}
		from = m.gaps[0].After.Seq + 1
	}
}

// join appends a stretch, which may go on where the last one ends.
func join(all []Stretch, s Stretch) []Stretch {
	if n := len(all); n > 0 && all[n-1].To+1 == s.From {
		all[n-1].To = s.To
		return all
	}
	if len(all) == missingMax {
		return all
	}
	return append(all, s)
}

// left returns the last sequence that a limit of the log has taken, 0 if none has: what is known from earlier, and what the
// limits explain now, those that were in force before Open changed them included.
func (l *Log) left(ctx context.Context, info *jetstream.StreamInfo) (uint64, error) {
	known, err := l.loadLeft(ctx)
	first := max(1, info.State.FirstSeq)
	if err != nil || first-1 <= known {
		return known, err
	}
	for _, cfg := range []jetstream.StreamConfig{l.was, info.Config} {
		switch {
		case l.full(cfg, info.State):
			return first - 1, nil
		case cfg.MaxAge > 0:
			kept, err := l.Checkpoints(ctx)
			if err != nil {
				return 0, err
			}
			known = max(known, agedUpTo(kept, first, time.Now().Add(-cfg.MaxAge)))
		}
	}
	return known, nil
}

// full reports whether a stream that drops its oldest frames is full: has less room than the next message may need.
func (l *Log) full(cfg jetstream.StreamConfig, state jetstream.StreamState) bool {
	if cfg.MaxMsgsPerSubject > 0 {
		return true // an operator's limit, which may take any frame
	}
	if cfg.Discard != jetstream.DiscardOld {
		return false
	}
	room := min(l.nc.MaxPayload(), cfg.MaxBytes/4)
	return cfg.MaxBytes > 0 && int64(state.Bytes) >= cfg.MaxBytes-room || cfg.MaxMsgs > 0 && int64(state.Msgs) >= cfg.MaxMsgs
}

// agedUpTo returns the last sequence before first that was stored before a time, as far as checkpoints tell.
func agedUpTo(kept []Checkpoint, first uint64, before time.Time) (seq uint64) {
	for _, c := range kept {
		if c.Seq >= first {
			break
		}
		if c.At.After(before) {
			return seq
		}
		seq = c.Seq
	}
	return first - 1 // the last checkpoint before it is old enough, or there is none
}

func (l *Log) loadLeft(ctx context.Context) (seq uint64, err error) {
	entry, err := l.state.Get(ctx, leftKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, nil
	}
	if err == nil {
		seq, err = strconv.ParseUint(string(entry.Value()), 10, 64)
	}
	if err != nil {
		return 0, fmt.Errorf("streams: key %s of bucket %s: %w", leftKey, BucketState, err)
	}
	return seq, nil
}

// noteLeft keeps what limits have taken, for when they are other ones.
func (l *Log) noteLeft(ctx context.Context) error {
	info, err := l.bronze.Info(ctx)
	if err != nil {
		return scanError(err)
	}
	known, err := l.loadLeft(ctx)
	if err != nil {
		return err
	}
	left, err := l.left(ctx, info)
	if err != nil || left == known {
		return err
	}
	if _, err := l.state.Put(ctx, leftKey, []byte(strconv.FormatUint(left, 10))); err != nil {
		return fmt.Errorf("streams: keep what has left the log: %w", err)
	}
	return nil
}
