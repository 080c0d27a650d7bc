package streams

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// checkpointsMax is how many checkpoints, or gaps, are kept about; beyond it, those that can be spared go. Half of it stays.
	checkpointsMax = 4096
	// thinMax bounds what goes at a time, for each takes a write.
	thinMax = 512
)

// thinChain drops checkpoints, and gaps before the log's first frame, if the bucket has more than keysMax keys. Between what stays
// there are more frames than before, each of which is proved nonetheless: a break is told less precisely.
func (l *Log) thinChain(ctx context.Context, keysMax int) error {
	status, err := l.state.Status(ctx)
	if err != nil {
		return fmt.Errorf("streams: chain: %w", err)
	}
	if status.Values() <= uint64(keysMax) {
		return nil
	}
	kept, err := l.Checkpoints(ctx)
	if err != nil || len(kept) == 0 {
		return err
	}
	gaps, err := l.Gaps(ctx)
	if err != nil {
		return err
	}
	left, err := l.loadLeft(ctx)
	if err != nil {
		return err
	}
	info, err := l.bronze.Info(ctx)
	if err != nil {
		return scanError(err)
	}
	first := info.State.FirstSeq
	var keys []string
	for _, c := range spared(kept[:len(kept)-1], first, keysMax/2, l.partBegins()) { // the last is the chain's end
		keys = append(keys, chainKey(c.Seq))
	}
	for i, g := range gaps {
		if i+1 < len(gaps) && gaps[i+1].After.Seq < min(first, left+1) { // the last of them is as good as a checkpoint
			keys = append(keys, erasedKey(g.From))
		}
	}
	return l.dropKeys(ctx, keys[:min(len(keys), thinMax)])
}

// spared returns which checkpoints can go so that about keptMax stay: those before the log's first frame but the last of them, and
// then those between which the fewest frames lie. Where a part begins, one stays.
func spared(kept []Checkpoint, first uint64, keptMax int, partBegins func(before, now Checkpoint) bool) []Checkpoint {
	for step := uint64(ChainEvery); ; step *= 2 {
		var before Checkpoint
		var gone []Checkpoint
		for i, c := range kept {
			aged := c.Seq < first && i+1 < len(kept) && kept[i+1].Seq < first
			if aged || before.Seq > 0 && c.Frames/step == before.Frames/step && !partBegins(before, c) {
				gone = append(gone, c)
				continue
			}
			before = c
		}
		if len(kept)-len(gone) <= keptMax || step > kept[len(kept)-1].Frames {
			return gone
		}
	}
}

// dropKeys removes keys of the bucket state and leaves no markers, which would need as much room.
func (l *Log) dropKeys(ctx context.Context, keys []string) error {
	stream, err := l.js.Stream(ctx, "KV_"+BucketState)
	if err != nil {
		return fmt.Errorf("streams: chain: %w", err)
	}
	for _, key := range keys {
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject("$KV."+BucketState+"."+key)); err != nil {
			return fmt.Errorf("streams: chain: drop key %s of bucket %s: %w", key, BucketState, err)
		}
	}
	return nil
}
