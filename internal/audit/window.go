package audit

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/internal/tables"
)

// windowRows bounds the rows that are compared at a time; a row takes about 300 bytes.
const windowRows = 1 << 16

// key tells a row apart: by its id, and in traces also by the frame and the position that it names.
type key struct {
	id            uuid.UUID
	seq, position uint64
}

// window holds the rows that a part of a table must have.
type window struct {
	*layout
	index map[key]int
	rows  []windowRow
	words []uint64 // the rows' signatures
}

type windowRow struct {
	key    key
	entity uuid.UUID // that the row is about; Nil in traces and where it is about none
	again  bool      // traces: the event is in an earlier frame too
	seen   bool      // in the table
}

// about returns the entity as the tables have it, "" for none.
func (r *windowRow) about() string {
	if r.entity == uuid.Nil {
		return ""
	}
	return r.entity.String()
}

func newWindow(l *layout) *window { return &window{layout: l, index: map[key]int{}} }

func (w *window) reset() {
	clear(w.index)
	w.rows, w.words = w.rows[:0], w.words[:0]
}

// addRecord adds the kept rows of a record of Silver that are a workflow's, "" for any.
func (w *window) addRecord(r arrow.Record, workflow string, again func(key) bool) error {
	signs, err := newSigner(w.layout, r)
	if err != nil {
		return err
	}
	keys, err := newKeys(w.layout, r)
	if err != nil {
		return err
	}
	disposition := r.Column(silver.Schema.FieldIndices(silver.ColDisposition)[0]).(*array.String)
	ours := ofWorkflow(r, workflow)
	for row := range int(r.NumRows()) {
		if disposition.Value(row) != string(bronze.Kept) || !ours(row) {
			continue
		}
		k, _ := keys.at(row) // Silver's are never malformed
		w.words = signs.sign(w.words, row)
		w.addRow(windowRow{key: k, again: again(k)})
	}
	return nil
}

// addRow adds a row whose signature is the end of words.
func (w *window) addRow(row windowRow) {
	w.index[row.key] = len(w.rows)
	w.rows = append(w.rows, row)
}

func (w *window) signature(i int) []uint64 {
	return w.words[i*w.width() : (i+1)*w.width()]
}

// stored is a row of the table.
type stored struct {
	text   string // the key as it is in the table
	key    key    // if it is well formed
	entity string
	words  []uint64
}

// scan passes the stored rows for which where holds to use, which must not keep their words.
func scan(ctx context.Context, store Store, l *layout, where tables.Filter, use func(*stored) error) error {
	reader, err := store.Query(ctx, tables.Query{Table: l.table.Name, Columns: l.columns, Where: where})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	defer reader.Release()
	var row stored
	for reader.Next() {
		record := reader.Record()
		signs, err := newSigner(l, record)
		if err != nil {
			return err
		}
		keys, err := newKeys(l, record)
		if err != nil {
			return err
		}
		for i := range int(record.NumRows()) {
			row.key, row.text = keys.at(i)
			row.entity = keys.entityAt(i)
			row.words = signs.sign(row.words[:0], i)
			if err := use(&row); err != nil {
				return err
			}
		}
	}
	if err := reader.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return nil
}

// compare marks the rows that the table has. It passes the differing ones to differs, and those that are not of the window,
// or there twice, to stray.
func (w *window) compare(ctx context.Context, store Store, where tables.Filter,
	differs func(i int, found *stored, columns []string), stray func(found *stored, twice bool),
) (count uint64, err error) {
	err = scan(ctx, store, w.layout, where, func(found *stored) error {
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
				differs(i, found, columns)
			}
		}
		return nil
	})
	return count, err
}
