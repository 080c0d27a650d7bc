package replay

import (
	"context"
	"fmt"
	"iter"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/internal/ops/deadletter"
	"assay/streams"
)

// Range is a range of sequences of BRONZE, both ends included; it is empty if To is below From.
type Range struct{ From, To uint64 }

// Rows are the events of a run of whole frames, as rows of Silver.
type Rows struct {
	Range
	Record     arrow.Record        // of silver.Schema; the events that were not wanted are left out
	Frames     int                 // read
	Events     int                 // in them, wanted or not
	Bytes      int                 // of their bodies
	Promotions []bronze.Event      // the kept promotions among the rows
	Letters    []deadletter.Letter // that the dead events among the rows yield
	Absent     uint64              // the first sequence of the range that the log does not have, 0 if it has all
}

// Refine reads the frames of a range and makes rows of them by the same pure functions as the Silver consumer. What it
// yields is in order and covers the range without gaps; a record is the reader's until the next one. wanted chooses among
// the events; nil wants all. One run is decoded ahead of the reader.
func Refine(
	ctx context.Context, stream jetstream.Stream, by *silver.Options, within Range, wanted func(*bronze.Event) bool,
) iter.Seq2[*Rows, error] {
	return func(yield func(*Rows, error) bool) {
		reading, cancel := context.WithCancel(ctx)
		defer cancel()
		r := refiner{by: by, wanted: wanted, ready: make(chan *Rows), from: within.From, next: within.From, batch: by.NewBatch()}
		var group errgroup.Group
		group.Go(func() error {
			defer close(r.ready)
			defer r.batch.Release()
			return r.run(reading, stream, within)
		})
		left := false
		for rows := range r.ready {
			if !left && !yield(rows, nil) {
				left = true
				cancel()
			}
			rows.Record.Release()
		}
		if err := group.Wait(); err != nil && !left {
			yield(nil, fmt.Errorf("replay: %w", err))
		}
	}
}

// refiner gathers frames until they make up a batch.
type refiner struct {
	by     *silver.Options
	wanted func(*bronze.Event) bool
	ready  chan *Rows
	batch  *silver.Batch
	from   uint64 // first sequence not handed on yet
	next   uint64 // first sequence not read yet
	rows   Rows   // the run that is being gathered
}

func (r *refiner) run(ctx context.Context, stream jetstream.Stream, within Range) error {
	if within.To < within.From {
		return nil
	}
	for m, err := range streams.Scan(ctx, stream, streams.ReplayOptions{FromSeq: within.From, ToSeq: within.To}) {
		if err != nil {
			return err
		}
		r.take(m)
		if r.batch.Rows() < r.by.MaxRows && r.batch.Bytes() < r.by.MaxBytes {
			continue
		}
		if err := r.hand(ctx, m.Seq); err != nil {
			return err
		}
	}
	r.expect(within.To + 1)
	return r.hand(ctx, within.To)
}

// expect notes the first sequence that is not there where the next to come is seq.
func (r *refiner) expect(seq uint64) {
	if r.next < seq && r.rows.Absent == 0 {
		r.rows.Absent = r.next
	}
	r.next = seq
}

func (r *refiner) take(m streams.Message) {
	r.expect(m.Seq)
	r.next++
	r.rows.Frames++
	r.rows.Bytes += m.Bytes
	for _, e := range r.by.Events(m) {
		r.rows.Events++
		if r.wanted != nil && !r.wanted(&e) {
			continue
		}
		r.batch.Append(&e)
		if e.Disposition == bronze.Dead {
			msg := silver.DeadLetter(&e)
			letter, _ := deadletter.Of(msg.Subject, msg.Header, msg.Data) // which tells of its frame
			r.rows.Letters = append(r.rows.Letters, letter)
		}
		if e.Kind == bronze.KindPromotion && e.Disposition == bronze.Kept {
			e.Raw = nil // it would keep the whole frame
			r.rows.Promotions = append(r.rows.Promotions, e)
		}
	}
}

// hand passes on what was gathered up to a sequence.
func (r *refiner) hand(ctx context.Context, to uint64) error {
	record, err := r.batch.Record()
	if err != nil {
		return err
	}
	rows := r.rows
	rows.Record, rows.Range = record, Range{r.from, to}
	select {
	case r.ready <- &rows:
	case <-ctx.Done():
		record.Release()
		return context.Cause(ctx)
	}
	r.rows, r.from = Rows{}, to+1
	return nil
}
