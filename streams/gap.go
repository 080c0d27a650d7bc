package streams

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// erasedPrefix starts the keys, in the bucket state, of gaps that Erase has left.
const erasedPrefix = "erased."

func erasedKey(from uint64) string { return fmt.Sprintf("%s%020d", erasedPrefix, from) }

// Gap is a run of frames that were erased on purpose. The chain passes over it, since it is known how it goes on.
type Gap struct {
	From  uint64     `json:"from"`  // first sequence of the run
	After Checkpoint `json:"after"` // the chain after its last frame
	At    time.Time  `json:"at"`    // when it was erased
}

// within tells whether another gap has all of it.
func (g Gap) within(other Gap) bool { return other.From <= g.From && g.After.Seq <= other.After.Seq }

// Gaps returns what Erase has left, in order.
func (l *Log) Gaps(ctx context.Context) ([]Gap, error) {
	found, err := entries(ctx, l.state, erasedPrefix+">")
	if err != nil {
		return nil, fmt.Errorf("streams: read what was erased: %w", err)
	}
	var gaps []Gap
	for _, entry := range found {
		var g Gap
		if err := json.Unmarshal(entry.Value(), &g); err != nil {
			return nil, fmt.Errorf("%w: key %s of bucket %s: %w", ErrChain, entry.Key(), BucketState, err)
		}
		if entry.Key() != erasedKey(g.From) {
			return nil, fmt.Errorf("%w: key %s of bucket %s is about sequence %d", ErrChain, entry.Key(), BucketState, g.From)
		}
		gaps = append(gaps, g)
	}
	slices.SortFunc(gaps, func(a, b Gap) int { return cmp.Compare(a.From, b.From) })
	return gaps, nil
}

func (l *Log) keepGap(ctx context.Context, g Gap) error {
	g.At = time.Now().UTC()
	value, err := json.Marshal(g)
	if err == nil {
		_, err = l.state.Put(ctx, erasedKey(g.From), value)
	}
	if err != nil {
		return fmt.Errorf("streams: keep what is to be erased: %w", err)
	}
	return nil
}

// bridge passes over erased frames, up to a sequence or somewhat beyond.
func (v *verifier) bridge(upTo uint64) {
	for v.at.Seq < upTo {
		gap, found := v.gapAt(v.at.Seq + 1)
		if !found {
			return
		}
		v.report.Erased += gap.After.Seq - v.at.Seq
		v.at = gap.After
		for len(v.ahead) > 0 && v.ahead[0].Seq < v.at.Seq { // nothing is left to compare them with
			v.ahead = v.ahead[1:]
		}
		for len(v.anchors) > 0 && v.anchors[0].Seq < v.at.Seq {
			v.anchors = v.anchors[1:]
		}
		v.compare(v.at.Seq)
	}
}

// gapAt returns the gap that has a sequence.
func (v *verifier) gapAt(seq uint64) (gap Gap, found bool) {
	for len(v.gaps) > 0 && v.gaps[0].After.Seq < seq {
		v.gaps = v.gaps[1:]
	}
	if len(v.gaps) == 0 || v.gaps[0].From > seq {
		return gap, false
	}
	return v.gaps[0], true
}

// withGaps adds the ends of gaps to checkpoints, for they are as good.
func withGaps(kept []Checkpoint, gaps []Gap) []Checkpoint {
	all := slices.Clone(kept)
	for _, g := range gaps {
		all = append(all, g.After)
	}
	slices.SortStableFunc(all, func(a, b Checkpoint) int { return cmp.Compare(a.Seq, b.Seq) })
	return slices.CompactFunc(all, func(a, b Checkpoint) bool { return a.Seq == b.Seq })
}
