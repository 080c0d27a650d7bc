package streams

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A proof shows, to somebody without the log, that a frame is what was chained: it has the link before the frame, the frame, and
// the frames after it up to one whose link was written down elsewhere. Whoever changes a byte of them, or the link before, comes
// to another link at the end. The later frames have to be there whole because each link is made of all of a frame.

// Tie is the place of a frame in the chain.
type Tie struct {
	Before Link       `json:"before"` // link of the frame before
	Link   Link       `json:"link"`   // of the frame
	Next   Checkpoint `json:"next"`   // first checkpoint that is kept at or after the frame
}

// Limits of one proof.
const (
	proofFramesMax = 20_000
	proofBytesMax  = 32 << 20
	proofLineMax   = 64 << 20
)

// ProofLine is a line of a proof: the first has the link before, the others a frame each, in their order.
type ProofLine struct {
	Proves *uint64     `json:"proves,omitempty"` // sequence of the frame that the proof is about
	Before *Link       `json:"before,omitempty"`
	Frame  *ProofFrame `json:"frame,omitempty"`
}

// ProofFrame is a frame as its link is made of it.
type ProofFrame struct {
	Seq     uint64      `json:"seq"`
	Subject string      `json:"subject"`
	Header  nats.Header `json:"header"`
	Data    []byte      `json:"data"` // base64
}

func (f *ProofFrame) message() Message {
	return Message{Seq: f.Seq, Subject: f.Subject, Header: f.Header, Data: f.Data, Bytes: len(f.Data)}
}

// Tie returns the place of a frame in the chain, nil if the chain does not reach it yet. Errors are Scan's, or wrap ErrChain if the
// frames before it do not lead there from a checkpoint.
func (l *Log) Tie(ctx context.Context, seq uint64) (*Tie, error) {
	from, to, err := l.around(ctx, seq)
	if err != nil || to == nil {
		return nil, err
	}
	at := from
	for m, err := range Scan(ctx, l.bronze, ReplayOptions{FromSeq: from.Seq + 1, ToSeq: seq}) {
		if err != nil {
			return nil, err
		}
		if m.Seq != at.Seq+1 {
			return nil, fmt.Errorf("%w: frames after %d have left the log, so the link of frame %d cannot be computed", ErrChain, at.Seq, seq)
		}
		before := at.Link
		if at = at.extend(m); m.Seq == seq {
			return &Tie{Before: before, Link: at.Link, Next: *to}, nil
		}
	}
	return nil, fmt.Errorf("%w: frame %d is not in the log", ErrChain, seq)
}

// around returns the last checkpoint before a frame, and the first at or after it, nil if the chain does not reach it yet.
func (l *Log) around(ctx context.Context, seq uint64) (from Checkpoint, to *Checkpoint, err error) {
	kept, err := l.Checkpoints(ctx)
	if err != nil {
		return from, nil, err
	}
	i, _ := slices.BinarySearchFunc(kept, seq, func(c Checkpoint, seq uint64) int {
		if c.Seq < seq {
			return -1
		}
		return 1
	})
	from = Checkpoint{Link: genesis}
	if i > 0 {
		from = kept[i-1]
	}
	if i < len(kept) {
		return from, &kept[i], nil
	}
	return from, nil, nil
}

// Prove writes the proof of a frame as JSON lines, for VerifyProof. Errors are Tie's or w's, or wrap ErrChain if the chain does not
// reach the frame yet or the next checkpoint is too far away.
func (l *Log) Prove(ctx context.Context, w io.Writer, seq uint64) error {
	tie, err := l.Tie(ctx, seq)
	switch {
	case err != nil:
		return err
	case tie == nil:
		return fmt.Errorf("%w: the chain does not reach frame %d yet; it is brought up to date every few seconds while `assay run` works", ErrChain, seq)
	case tie.Next.Seq-seq >= proofFramesMax:
		return fmt.Errorf("%w: the checkpoint after frame %d is %d frames away, and %d are proved at most", ErrChain, seq, tie.Next.Seq-seq, proofFramesMax)
	}
	lines := json.NewEncoder(w)
	if err := lines.Encode(ProofLine{Proves: &seq, Before: &tie.Before}); err != nil {
		return err
	}
	size := 0
	for m, err := range Scan(ctx, l.bronze, ReplayOptions{FromSeq: seq, ToSeq: tie.Next.Seq}) {
		if err != nil {
			return err
		}
		if size += m.Bytes; size > proofBytesMax {
			return fmt.Errorf("%w: the frames up to the checkpoint after frame %d have more than %d bytes", ErrChain, seq, proofBytesMax)
		}
		if err := lines.Encode(ProofLine{Frame: &ProofFrame{m.Seq, m.Subject, m.Header, m.Data}}); err != nil {
			return err
		}
	}
	return nil
}

// Proved is what a proof shows.
type Proved struct {
	Frame *Frame // the frame that it is about
	Seq   uint64 // its sequence
	Link  Link   // its link, given the link before
	At    Anchor // the end of the proof: what it proves is as sure as this link is known from elsewhere
}

// VerifyProof reads a proof and computes its links. It proves the frame only if Proved.At is a link that was written down elsewhere.
// Errors wrap ErrChain if it is no whole proof.
func VerifyProof(r io.Reader) (*Proved, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, proofLineMax)
	next := func() (*ProofLine, error) {
		if !lines.Scan() {
			if lines.Err() != nil {
				return nil, fmt.Errorf("%w: %w", ErrChain, lines.Err())
			}
			return nil, io.EOF
		}
		var line ProofLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%w: a line is no JSON of a proof: %w", ErrChain, err)
		}
		return &line, nil
	}
	head, err := next()
	if err != nil || head.Proves == nil || head.Before == nil {
		return nil, fmt.Errorf("%w: it does not begin as `assay get EVENT --proof` writes it", ErrChain)
	}
	proved, at := &Proved{Seq: *head.Proves}, Checkpoint{Seq: *head.Proves - 1, Link: *head.Before}
	for {
		line, err := next()
		if errors.Is(err, io.EOF) && proved.Frame != nil {
			proved.At = Anchor{Seq: at.Seq, Link: at.Link}
			return proved, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: it ends before the frame: %w", ErrChain, err)
		}
		if line.Frame == nil || line.Frame.Seq != at.Seq+1 {
			return nil, fmt.Errorf("%w: after frame %d comes something else than the next one", ErrChain, at.Seq)
		}
		m := line.Frame.message()
		if at = at.extend(m); m.Seq == proved.Seq {
			proved.Link = at.Link
			if proved.Frame, err = ParseFrame(m.Subject, m.Header, m.Data, m.Seq, m.Time); err != nil {
				return nil, fmt.Errorf("%w: frame %d: %w", ErrChain, m.Seq, err)
			}
		}
	}
}

// Message reads one frame as it is stored. The error wraps ErrGone if it has left the log.
func (l *Log) Message(ctx context.Context, seq uint64) (Message, error) {
	m, err := l.bronze.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Message{}, fmt.Errorf("%w: frame %d", ErrGone, seq)
	}
	if err != nil {
		return Message{}, scanError(err)
	}
	return MessageOf(m), nil
}
