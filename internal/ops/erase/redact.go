package erase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/internal/capture/framing"
	"assay/sovereign/schema"
	"assay/streams"
)

// Frames cannot be changed. One that holds events of several workflows is therefore written again without those that are
// forgotten, and erased like the others. Its events keep their streams and positions, and so their identities; the rows of
// traces that name the old frame come to name the new one. Events that were forgotten before, and so far only passed over,
// are left out, too: where the frame is now, their tombstones do not reach.

// takenWait bounds the wait for the frames that are to be marked as processed.
const takenWait = 5 * time.Second

// redact writes the shared frames again, and notes those that may then be erased.
func (f *forgetting) redact(ctx context.Context) (err error) {
	if len(f.mixed) == 0 {
		return nil
	}
	processed, err := f.allTaken(ctx)
	if err != nil {
		return err
	}
	publisher := f.Log.NewPublisher(streams.PublisherConfig{})
	defer func() { err = errors.Join(err, publisher.Close(ctx)) }()
	var written []uint64
	for _, seq := range f.mixed {
		parts, ok, err := f.split(ctx, seq)
		if err != nil {
			return err
		}
		if !ok {
			f.report.Shared++
			continue
		}
		acks, err := publisher.Publish(ctx, parts...)
		if err != nil {
			return fmt.Errorf("forget: write frame %d again: %w", seq, err)
		}
		moves := make([]move, len(parts))
		for i, part := range parts {
			moves[i] = move{part.Position, part.Position + uint64(part.Count), acks[i].Seq}
			written = append(written, acks[i].Seq)
		}
		if n := len(moves); n > 0 {
			moves[n-1].to++ // that the stream ends within an event stands behind its last record
		}
		if err := f.move(ctx, seq, moves); err != nil {
			return err
		}
		f.whole = append(f.whole, seq)
		f.moved[seq] = true
		f.report.Rewritten++
	}
	if processed {
		return f.markTaken(ctx, written)
	}
	return nil
}

// split returns the frames that a shared one becomes. It is not ok if the frame cannot be split.
func (f *forgetting) split(ctx context.Context, seq uint64) (parts []*streams.Frame, ok bool, err error) {
	msg, err := f.Log.Bronze().GetMsg(ctx, seq)
	if err != nil {
		return nil, false, fmt.Errorf("forget: read frame %d: %w", seq, err)
	}
	frame, err := streams.ParseFrame(msg.Subject, msg.Header, msg.Data, seq, msg.Time)
	if err != nil {
		return nil, false, nil // it is one dead event
	}
	by := *f.Silver
	by.Forgotten = nil
	events, forwarded := by.Events(streams.MessageOf(msg)), streams.EdgeTime(msg.Header)
	parts, ok = splitFrame(frame, events, func(e *bronze.Event) bool {
		return f.Log.Forgotten().Has(e.WorkflowID, seq) || f.Log.Forgotten().HadBefore(e.WorkflowID, forwarded)
	})
	return parts, ok, nil
}

// splitFrame returns the runs of units of a frame that have an event which is not to go. It is not ok if the frame is not what
// it says.
func splitFrame(frame *streams.Frame, events []bronze.Event, goes func(*bronze.Event) bool) (parts []*streams.Frame, ok bool) {
	format, err := framing.FormatOf(frame.ContentType)
	if err != nil {
		return nil, false
	}
	splitter, at := framing.NewSplitter(format, len(frame.Body)), 0
	records := byRecord(events)
	var open *streams.Frame
	take := func(u framing.Unit) bool {
		if at+u.Events > len(records) {
			return false
		}
		own := slices.Concat(records[at : at+u.Events]...)
		stays := slices.IndexFunc(own, func(e bronze.Event) bool { return !goes(&e) })
		switch {
		case len(own) > 0 && stays < 0:
			open = nil
		case len(own) > 0 && open == nil:
			part := *frame
			part.Position, part.Count, part.Body, part.Workflow = frame.Position+uint64(at), 0, nil, own[stays].WorkflowID
			open = &part
			parts = append(parts, open)
		}
		if open != nil {
			open.Body = append(open.Body, u.Raw...)
			open.Count += u.Events
		}
		at += u.Events
		return true
	}
	for unit, err := range splitter.Write(frame.Body) {
		if err != nil || !take(unit) {
			return nil, false
		}
	}
	ok = take(splitter.Tail()) && at == len(records)
	return parts, ok
}

// byRecord cuts the events of a frame into those of each record. That it ends within an event is no record: the bytes that say
// so go with the last one.
func byRecord(events []bronze.Event) (records [][]bronze.Event) {
	for i := range events {
		switch {
		case events[i].Kind == bronze.KindStreamCut:
			continue
		case events[i].Part == 0:
			records = append(records, events[i:i+1:i+1])
			continue
		}
		last := &records[len(records)-1]
		*last = append(*last, events[i])
	}
	return records
}

// move tells which frame holds some positions of a stream now.
type move struct{ from, to, seq uint64 }

// move has the rows of traces that name a frame name the one that holds their events now.
func (f *forgetting) move(ctx context.Context, seq uint64, moves []move) error {
	r, err := f.Store.Query(ctx, schema.Query{Table: schema.Traces, Where: schema.Eq(silver.ColBronzeSeq, int64(seq))})
	if err != nil {
		return fmt.Errorf("forget: read %s: %w", schema.Traces, err)
	}
	defer r.Release()
	for r.Next() {
		record := moveRows(r.Record(), moves)
		err := f.Store.Merge(ctx, schema.Traces, record)
		record.Release()
		if err != nil {
			return fmt.Errorf("forget: merge into %s: %w", schema.Traces, err)
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("forget: read %s: %w", schema.Traces, err)
	}
	return nil
}

func moveRows(rows arrow.Record, moves []move) arrow.Record {
	schema := rows.Schema()
	at := schema.FieldIndices(silver.ColBronzeSeq)[0]
	was := rows.Column(at).(*array.Int64)
	positions := rows.Column(schema.FieldIndices(silver.ColPosition)[0]).(*array.Int64)
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	for row := range was.Len() {
		seq, position := was.Value(row), uint64(positions.Value(row))
		for _, m := range moves {
			if m.from <= position && position < m.to {
				seq = int64(m.seq)
			}
		}
		b.Append(seq)
	}
	now := b.NewArray()
	defer now.Release()
	columns := slices.Clone(rows.Columns())
	columns[at] = now
	return array.NewRecord(schema, columns, rows.NumRows())
}

// allTaken tells whether all frames are processed, and nothing processes more.
func (f *forgetting) allTaken(ctx context.Context) (bool, error) {
	if f.Running {
		return false, nil
	}
	consumer, err := f.Log.SilverConsumer(ctx)
	if err != nil {
		return false, err
	}
	taken, err := f.Log.Drained(ctx, consumer)
	if err != nil {
		return false, fmt.Errorf("forget: %w", err)
	}
	return taken, nil
}

// markTaken marks frames as processed that say nothing new, so that a data directory in which nothing runs has nothing left to
// do. Frames of others that come with them are given back. What does not come in time is found out by the consumers.
func (f *forgetting) markTaken(ctx context.Context, sequences []uint64) error {
	consumer, err := f.Log.SilverConsumer(ctx)
	if err != nil {
		return err
	}
	written := make(map[uint64]bool, len(sequences))
	for _, seq := range sequences {
		written[seq] = true
	}
	waiting, cancel := context.WithTimeout(ctx, takenWait)
	defer cancel()
	var others []jetstream.Msg // kept until the end, lest they come again and again
	defer func() {
		for _, msg := range others {
			_ = msg.Nak() // without it they come back when their wait is over
		}
	}()
	for len(written) > 0 && waiting.Err() == nil {
		if others, err = f.markFetched(waiting, consumer, written, others); err != nil && waiting.Err() == nil {
			return fmt.Errorf("forget: mark what was written again: %w", err)
		}
	}
	return context.Cause(ctx)
}

// markFetched acknowledges those of one fetch that were written, and adds the rest to others.
func (f *forgetting) markFetched(
	ctx context.Context, consumer jetstream.Consumer, written map[uint64]bool, others []jetstream.Msg,
) ([]jetstream.Msg, error) {
	fetched, err := streams.Fetch(ctx, consumer, len(written))
	if err != nil {
		return others, err
	}
	defer fetched.Close()
	for msg := range fetched.Messages() {
		meta, err := msg.Metadata()
		if err != nil {
			return others, err
		}
		if !written[meta.Sequence.Stream] {
			others = append(others, msg)
			continue
		}
		if err := msg.DoubleAck(ctx); err != nil {
			return others, err
		}
		delete(written, meta.Sequence.Stream)
	}
	return others, fetched.Err()
}
