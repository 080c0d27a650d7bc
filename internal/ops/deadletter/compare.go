package deadletter

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Span is the part of BRONZE that was expected of the ledger.
type Span struct {
	First, Last uint64 // its sequences
	KeptFrom    uint64 // limits of DEAD have taken no letter of this frame or later ones
}

// Finding is a letter that is not what BRONZE says.
type Finding struct {
	ID
	Expected bool     // the frame yields it
	Right    bool     // one is there, as it should be
	Parts    []string // in which another one differs from that
	Wrong    []uint64 // sequences on DEAD of those that should not be there as they are
}

// Missing reports whether a letter should be there, and none is.
func (f *Finding) Missing() bool { return f.Expected && !f.Right && len(f.Wrong) == 0 }

// Tally counts letters.
type Tally struct{ Expected, Stored, Unprovable uint64 }

// Compare passes to use where BRONZE and DEAD differ, in the order of the frames. What cannot be proved is only counted. Errors are
// those of use, or wrap ErrLedger.
func (l *Ledger) Compare(ctx context.Context, bronze jetstream.Stream, span Span, use func(*Finding) error) (Tally, error) {
	c := comparison{bronze: bronze, span: span}
	var err error
	if c.want, err = l.scan(keyExpected); err != nil {
		return c.tally, err
	}
	if c.have, err = l.scan(keyStored); err != nil {
		return c.tally, errors.Join(err, c.want.close())
	}
	err = c.run(ctx, use)
	return c.tally, errors.Join(err, c.want.close(), c.have.close())
}

// comparison goes through both sides of the ledger together.
type comparison struct {
	bronze     jetstream.Stream
	span       Span
	want, have *entries
	tally      Tally
}

func (c *comparison) run(ctx context.Context, use func(*Finding) error) error {
	for c.want.ok || c.have.ok {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f := c.next()
		if f.Right && len(f.Wrong) == 0 || !f.Expected && f.Seq > c.span.Last {
			continue
		}
		provable, err := c.provable(ctx, &f)
		if err == nil && provable {
			err = use(&f)
		}
		if err != nil {
			return err
		}
		if !provable {
			c.tally.Unprovable++
		}
	}
	return nil
}

// next takes all that is about the first of the ids.
func (c *comparison) next() Finding {
	f := Finding{ID: c.have.id}
	if w := c.want.id; !c.have.ok || c.want.ok && (w.Seq < f.Seq || w.Seq == f.Seq && w.Position < f.Position) {
		f.ID = w
	}
	f.Expected = c.want.ok && c.want.id == f.ID
	for ; c.have.ok && c.have.id == f.ID; c.have.next() {
		c.tally.Stored++
		if f.Expected && c.have.signature == c.want.signature {
			f.Right = true
			continue
		}
		if f.Wrong = append(f.Wrong, c.have.stored); f.Expected && f.Parts == nil {
			f.Parts = c.want.signature.differing(c.have.signature)
		}
	}
	if f.Expected {
		c.tally.Expected++
		c.want.next()
	}
	return f
}

// provable reports whether a finding stands: the limits of DEAD may have taken a letter that is missing, and a frame that the log
// has no more may have yielded one that is there.
func (c *comparison) provable(ctx context.Context, f *Finding) (bool, error) {
	switch {
	case f.Missing():
		return f.Seq >= c.span.KeptFrom, nil
	case f.Expected:
		return true, nil
	case f.Seq < c.span.First:
		return false, nil
	}
	_, err := c.bronze.GetMsg(ctx, f.Seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("letters: read sequence %d: %w", f.Seq, err)
	}
	return true, nil
}
