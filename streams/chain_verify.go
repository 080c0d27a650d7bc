package streams

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ChainReport is what a verification of the chain found.
type ChainReport struct {
	FirstSeq    uint64       `json:"first_seq"` // that the log still has
	LastSeq     uint64       `json:"last_seq"`
	Verified    uint64       `json:"verified"`    // frames that the chain proves
	Unchained   uint64       `json:"unchained"`   // frames after its end
	Unprovable  uint64       `json:"unprovable"`  // frames before the first checkpoint that can be used, or about to be erased
	Erased      uint64       `json:"erased"`      // frames that were removed on purpose
	Aged        *Checkpoint  `json:"aged"`        // what had come up to the last checkpoint before the log's first frame
	Checkpoints int          `json:"checkpoints"` // compared
	Head        Checkpoint   `json:"head"`        // the end of the chain
	Breaks      []ChainBreak `json:"breaks"`      // up to breaksMax
}

// Clean reports whether the frames are those that were chained.
func (r *ChainReport) Clean() bool { return len(r.Breaks) == 0 }

// ChainBreak says that frames are not those that were chained.
type ChainBreak struct {
	From   uint64 `json:"from"` // first sequence that may be concerned
	To     uint64 `json:"to"`   // and the last
	Reason string `json:"reason"`
}

// breaksMax bounds a report.
const breaksMax = 1000

// Anchor is a link that was written down elsewhere.
type Anchor struct {
	Seq  uint64
	Link Link
}

// String is the anchor as SEQUENCE:LINK.
func (a Anchor) String() string { return strconv.FormatUint(a.Seq, 10) + ":" + a.Link.String() }

// ParseAnchor is the inverse of Anchor.String. Its errors wrap ErrChain.
func ParseAnchor(text string) (a Anchor, err error) {
	seq, link, _ := strings.Cut(text, ":")
	if a.Seq, err = strconv.ParseUint(seq, 10, 64); err == nil {
		err = a.Link.UnmarshalText([]byte(link))
	}
	if err != nil {
		return a, fmt.Errorf("%w: %q is not SEQUENCE:LINK as `assay audit --checkpoints` prints it: %w", ErrChain, text, err)
	}
	return a, nil
}

// VerifyChain computes the chain of what the log holds and compares it with the checkpoints, and with anchors. progress, if
// not nil, is told how many frames of how many are done. That something was tampered with is no error but what the report
// says. Errors are Scan's, or wrap ErrChain if the checkpoints cannot be read.
func (l *Log) VerifyChain(ctx context.Context, anchors []Anchor, progress func(done, total uint64)) (*ChainReport, error) {
	kept, err := l.Checkpoints(ctx)
	if err != nil {
		return nil, err
	}
	info, err := l.bronze.Info(ctx)
	if err != nil {
		return nil, scanError(err)
	}
	gaps, err := l.Gaps(ctx)
	if err != nil {
		return nil, err
	}
	missing, err := l.Missing(ctx)
	if err != nil {
		return nil, err
	}
	v := &verifier{report: &ChainReport{FirstSeq: max(1, info.State.FirstSeq), LastSeq: info.State.LastSeq}}
	v.vanished(missing)
	v.begin(kept, gaps, anchors)
	for m, err := range Scan(ctx, l.bronze, ReplayOptions{FromSeq: v.at.Seq + 1, ToSeq: info.State.LastSeq}) {
		if err != nil {
			return nil, err
		}
		v.frame(m)
		if progress != nil {
			progress(m.Seq+1-v.report.FirstSeq, v.report.LastSeq+1-v.report.FirstSeq)
		}
	}
	return v.end(), nil
}

// verifier follows the chain.
type verifier struct {
	report  *ChainReport
	at      Checkpoint // the chain as it was computed
	since   uint64     // last sequence that was compared
	torn    bool       // frames since then are missing
	ahead   []Checkpoint
	gaps    []Gap
	anchors []Anchor
}

// vanished reports frames before the log's first that no limit took. Later ones show when the chain passes them.
func (v *verifier) vanished(missing []Stretch) {
	for _, s := range missing {
		if s.To < v.report.FirstSeq {
			v.broken(s.From, s.To, "missing: no limit of the log took them")
		}
	}
}

// begin finds the checkpoint to start from: the beginning, or the first that is not before the log's first frame.
func (v *verifier) begin(kept []Checkpoint, gaps []Gap, anchors []Anchor) {
	r := v.report
	v.at, v.ahead, v.gaps, v.anchors = Checkpoint{Link: genesis}, kept, gaps, slices.Clone(anchors)
	slices.SortFunc(v.anchors, func(a, b Anchor) int { return cmp.Compare(a.Seq, b.Seq) })
	if len(kept) == 0 {
		r.Head = v.at
	} else {
		r.Head = kept[len(kept)-1]
	}
	if v.bridge(r.FirstSeq - 1); v.at.Seq+1 < r.FirstSeq {
		v.at, v.ahead, r.Erased = Checkpoint{Link: genesis}, withGaps(kept, gaps), 0
		v.passAged()
	}
	v.since = v.at.Seq
}

// passAged finds out where the chain can be taken up if frames have left the log.
func (v *verifier) passAged() {
	r := v.report
	if r.FirstSeq == 1 {
		return
	}
	for ; len(v.ahead) > 0; v.ahead = v.ahead[1:] {
		c := v.ahead[0]
		if c.Seq < r.FirstSeq {
			r.Aged = &c
		}
		if c.Seq+1 >= r.FirstSeq {
			v.at, v.ahead, r.Unprovable = c, v.ahead[1:], c.Seq+1-r.FirstSeq
			return
		}
	}
	v.at.Seq = r.FirstSeq - 1 // the chain ended before; what is left is not part of it
}

func (v *verifier) frame(m Message) {
	if v.bridge(m.Seq - 1); m.Seq <= v.at.Seq {
		v.report.Unprovable++ // erasing it was interrupted
		return
	}
	if m.Seq > v.report.Head.Seq {
		v.report.Unchained++
	} else {
		v.report.Verified++
	}
	if m.Seq != v.at.Seq+1 {
		v.broken(v.at.Seq+1, m.Seq-1, "missing")
		v.torn = true
		v.pass(m.Seq - 1)
	}
	v.at = v.at.extend(m)
	v.compare(m.Seq)
}

// compare compares the chain with what is known about a sequence. After a difference it goes on from the checkpoint, so that
// what follows is judged by itself.
func (v *verifier) compare(seq uint64) {
	if len(v.ahead) > 0 && v.ahead[0].Seq == seq {
		c := v.ahead[0]
		v.ahead = v.ahead[1:]
		v.report.Checkpoints++
		if c.Link != v.at.Link && !v.torn { // else it cannot fit
			v.broken(v.since+1, seq, "changed: the link is "+v.at.Link.String()+", not "+c.Link.String())
		}
		v.at, v.since, v.torn = c, seq, false
	}
	for len(v.anchors) > 0 && v.anchors[0].Seq == seq {
		if a := v.anchors[0]; a.Link != v.at.Link {
			v.broken(v.report.FirstSeq, seq, "the chain was made anew: the link is "+v.at.Link.String()+", not the given "+a.Link.String())
		}
		v.anchors = v.anchors[1:]
	}
}

// pass reports checkpoints and anchors of frames that are not there.
func (v *verifier) pass(upTo uint64) {
	for len(v.ahead) > 0 && v.ahead[0].Seq <= upTo {
		v.at, v.since, v.torn, v.ahead = v.ahead[0], v.ahead[0].Seq, v.ahead[0].Seq < upTo, v.ahead[1:]
	}
	for len(v.anchors) > 0 && v.anchors[0].Seq <= upTo {
		if a := v.anchors[0]; a.Seq >= v.report.FirstSeq {
			v.broken(a.Seq, a.Seq, "the frame of the given link is missing")
		}
		v.anchors = v.anchors[1:]
	}
}

// end reports what the chain reaches beyond the log.
func (v *verifier) end() *ChainReport {
	v.bridge(v.report.LastSeq)
	if head := v.report.Head.Seq; head > v.report.LastSeq {
		v.broken(v.report.LastSeq+1, head, fmt.Sprintf("missing: the log ends at %d", v.report.LastSeq))
	} else if v.at.Seq < v.report.LastSeq {
		v.broken(v.at.Seq+1, v.report.LastSeq, "missing")
	}
	v.pass(^uint64(0))
	return v.report
}

func (v *verifier) broken(from, to uint64, reason string) {
	if len(v.report.Breaks) < breaksMax {
		v.report.Breaks = append(v.report.Breaks, ChainBreak{From: from, To: to, Reason: reason})
	}
}
