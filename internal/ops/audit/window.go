package audit

import (
	"context"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/internal/ops/retention"
	"assay/sovereign/schema"
)

// windowBatches is how many batches of Silver, as large as they may be, are folded and compared at a time. A row takes about
// 300 bytes besides its texts.
const windowBatches = 4

// window holds the rows of traces that a run of frames must have.
type window struct {
	*layout
	index map[key]int
	rows  []windowRow
	words []uint64 // the rows' signatures
}

type windowRow struct {
	key   key
	again bool // the event is in an earlier frame too
	seen  bool // in the table
}

func newWindow(l *layout) *window { return &window{layout: l, index: map[key]int{}} }

func (w *window) reset() {
	clear(w.index)
	w.rows, w.words = w.rows[:0], w.words[:0]
}

// addRecord adds the kept rows of a record of Silver that are a workflow's, "" for any.
func (w *window) addRecord(r arrow.Record, workflow string, kept time.Time) error {
	signs, err := newSigner(w.layout, r)
	if err != nil {
		return err
	}
	keys, err := newKeys(w.layout, r)
	if err != nil {
		return err
	}
	disposition := r.Column(silver.Schema.FieldIndices(silver.ColDisposition)[0]).(*array.String)
	ours, aged := ofWorkflow(r, workflow), retention.AgedRows(schema.Traces, kept, r)
	for row := range int(r.NumRows()) {
		if disposition.Value(row) != string(bronze.Kept) || !ours(row) || aged(row) {
			continue
		}
		k, _ := keys.at(row) // Silver's are never malformed
		w.words = signs.sign(w.words, row)
		w.index[k] = len(w.rows)
		w.rows = append(w.rows, windowRow{key: k})
	}
	return nil
}

func (w *window) signature(i int) []uint64 {
	return w.words[i*w.width() : (i+1)*w.width()]
}

// stored is a row of traces.
type stored struct {
	key   key    // if it is well formed
	text  string // its id as it is in the table
	words []uint64
}

// scanTraces passes the rows of traces for which where holds to use, which must keep nothing of them.
func scanTraces(ctx context.Context, store schema.Reader, l *layout, where schema.Filter, use func(*stored) error) error {
	return scanRecords(ctx, store, l, where, func(record arrow.Record) error {
		read, err := newSigned(l, record)
		if err != nil {
			return err
		}
		var row stored
		for i := range int(record.NumRows()) {
			row.key, row.text = read.keys.at(i)
			row.words = read.signs.sign(row.words[:0], i)
			if err := use(&row); err != nil {
				return err
			}
		}
		return nil
	})
}

// compare marks the rows that the table has. It passes the differing ones to differs, and those that are not of the window,
// or there twice, to stray.
func (w *window) compare(ctx context.Context, store schema.Reader, where schema.Filter,
	differs func(i int, columns []string), stray func(found *stored, twice bool),
) (count uint64, err error) {
	err = scanTraces(ctx, store, w.layout, where, func(found *stored) error {
		count++
		i, ok := w.index[found.key]
		switch {
		case !ok:
			stray(found, false)
		case w.rows[i].seen:
			stray(found, true)
		default:
			w.rows[i].seen = true
			if columns := w.differing(w.signature(i), found.words); len(columns) > 0 {
				differs(i, columns)
			}
		}
		return nil
	})
	return count, err
}
