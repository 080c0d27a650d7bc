package streams

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Keys of the bucket state.
const (
	chainHead   = "chain_head"
	chainPrefix = "chain."
)

func chainKey(seq uint64) string { return fmt.Sprintf("%s%020d", chainPrefix, seq) }

// ExtendChain brings the chain up to the last frame of BRONZE and returns its end. It goes on from where it ended, so it costs
// what is new. Several processes may do so: all come to the same. It also notes what limits have taken, and what DEAD has
// had. Errors are Scan's.
func (l *Log) ExtendChain(ctx context.Context) (Checkpoint, error) {
	head, revision, err := l.chainHead(ctx)
	if err != nil {
		return head, err
	}
	was, due, kept := head.Seq, l.checkpointDue(), false
	for m, err := range Scan(ctx, l.bronze, ReplayOptions{FromSeq: head.Seq + 1}) {
		if err != nil {
			return head, err
		}
		before := head
		if head = head.extend(m); !due(before, head) {
			continue
		}
		if err := l.keepCheckpoint(ctx, head); err != nil {
			return head, err
		}
		kept = true
	}
	if head.Seq > was {
		if err := l.saveChainHead(ctx, head, revision); err != nil {
			return head, err
		}
	}
	if err := l.noteLeft(ctx); err != nil {
		return head, err
	}
	if kept {
		if err := l.thinChain(ctx, checkpointsMax); err != nil {
			return head, err
		}
	}
	return head, l.noteLetters(ctx)
}

// chainParts is how many checkpoints a log has at least when its limits have begun to remove frames: no more than one part of
// it lies before the first of them and cannot be proved.
const chainParts = 64

// checkpointDue returns which checkpoints are kept, given each and the one before: every ChainEvery frames, and as the log's
// limits demand.
func (l *Log) checkpointDue() func(before, now Checkpoint) bool {
	begins := l.partBegins()
	return func(before, now Checkpoint) bool { return now.Frames%ChainEvery == 0 || begins(before, now) }
}

// partBegins returns whether one of chainParts parts of the log, by size or by age, begins between two checkpoints.
func (l *Log) partBegins() func(before, now Checkpoint) bool {
	cfg := l.bronze.CachedInfo().Config
	bytes, age := uint64(max(0, cfg.MaxBytes))/chainParts, cfg.MaxAge/chainParts
	return func(before, now Checkpoint) bool {
		return bytes > 0 && now.Bytes/bytes != before.Bytes/bytes ||
			age > 0 && now.At.Truncate(age) != before.At.Truncate(age)
	}
}

// ChainPressed reports whether so much of a ring is not chained yet that frames may leave it before they are. Errors are those
// of the log's API.
func (l *Log) ChainPressed(ctx context.Context) (bool, error) {
	if l.bronze.CachedInfo().Config.Discard != jetstream.DiscardOld {
		return false, nil
	}
	info, err := l.bronze.Info(ctx)
	if err != nil {
		return false, fmt.Errorf("streams: chain: %w", err)
	}
	head, _, err := l.chainHead(ctx)
	return info.State.LastSeq-min(head.Seq, info.State.LastSeq) > info.State.Msgs/8, err
}

// chainHead returns the end of the chain and its revision in the bucket, 0 if there is none.
func (l *Log) chainHead(ctx context.Context) (Checkpoint, uint64, error) {
	entry, err := l.state.Get(ctx, chainHead)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Checkpoint{Link: genesis}, 0, nil
	}
	if err != nil {
		return Checkpoint{}, 0, fmt.Errorf("streams: chain: %w", err)
	}
	head, err := parseCheckpoint(entry)
	return head, entry.Revision(), err
}

// keepCheckpoint writes what every process would write there.
func (l *Log) keepCheckpoint(ctx context.Context, c Checkpoint) error {
	value, err := json.Marshal(c)
	if err == nil {
		_, err = l.state.Put(ctx, chainKey(c.Seq), value)
	}
	if err != nil {
		return fmt.Errorf("streams: chain: %w", err)
	}
	return nil
}

// saveChainHead moves the end of the chain, unless another process has just done so.
func (l *Log) saveChainHead(ctx context.Context, head Checkpoint, revision uint64) error {
	value, err := json.Marshal(head)
	if err == nil {
		_, err = l.state.Update(ctx, chainHead, value, revision)
	}
	if err != nil && !IsConflict(err) {
		return fmt.Errorf("streams: chain: %w", err)
	}
	return nil
}

// Checkpoints returns those that are kept, in order, the end of the chain last.
func (l *Log) Checkpoints(ctx context.Context) ([]Checkpoint, error) {
	head, revision, err := l.chainHead(ctx)
	if err != nil || revision == 0 {
		return nil, err
	}
	found, err := entries(ctx, l.state, chainPrefix+">")
	if err != nil {
		return nil, fmt.Errorf("streams: chain: %w", err)
	}
	var kept []Checkpoint
	for _, entry := range found {
		c, err := parseCheckpoint(entry)
		if err != nil {
			return nil, err
		}
		if c.Seq < head.Seq { // else it was written for a head that is still to come
			kept = append(kept, c)
		}
	}
	slices.SortFunc(kept, func(a, b Checkpoint) int { return cmp.Compare(a.Seq, b.Seq) })
	return append(kept, head), nil
}

func parseCheckpoint(entry jetstream.KeyValueEntry) (c Checkpoint, err error) {
	if err := json.Unmarshal(entry.Value(), &c); err != nil {
		return c, fmt.Errorf("%w: key %s of bucket %s: %w", ErrChain, entry.Key(), BucketState, err)
	}
	if key := entry.Key(); strings.HasPrefix(key, chainPrefix) && key != chainKey(c.Seq) {
		return c, fmt.Errorf("%w: key %s of bucket %s is about sequence %d", ErrChain, key, BucketState, c.Seq)
	}
	return c, nil
}
