package audit

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/silver"
	"assay/internal/tables"
)

// expected is the store into which the fresh Gold writes. Of traces it notes which events are new; of the rows of the
// other tables it keeps the signatures, on disk, in the order of their keys. Gold writes those once, at the end, and so
// never takes one back.
type expected struct {
	db       *pebble.DB
	workflow string           // whose rows are kept; "": all
	new      map[key]struct{} // events of the group being folded that were in no earlier frame
}

func openExpected(dir, workflow string) (*expected, error) {
	// What is lost in a crash is computed again, so nothing is synced.
	db, err := pebble.Open(dir, &pebble.Options{DisableWAL: true, Logger: quiet{}})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return &expected{db: db, workflow: workflow, new: map[key]struct{}{}}, nil
}

func (e *expected) close() error {
	if err := e.db.Close(); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return nil
}

// Append implements gold.Store.
func (e *expected) Append(_ context.Context, table string, rows arrow.Record) error {
	l := newLayout(table)
	if l.byFrame {
		return e.note(l, rows)
	}
	return e.keep(l, rows)
}

// Merge implements gold.Store.
func (e *expected) Merge(ctx context.Context, table string, rows arrow.Record) error {
	return e.Append(ctx, table, rows)
}

// Delete implements gold.Store. Gold deletes rows that it has written before, of which there are none.
func (e *expected) Delete(context.Context, string, tables.Filter) error { return nil }

// Count implements gold.Store: when Gold opens, there is nothing yet.
func (e *expected) Count(context.Context, string, tables.Filter) (int64, error) { return 0, nil }

// Query implements gold.Store.
func (e *expected) Query(_ context.Context, q tables.Query) (array.RecordReader, error) {
	return array.NewRecordReader(tables.ByName(q.Table).Schema, nil)
}

func (e *expected) note(l *layout, rows arrow.Record) error {
	keys, err := newKeys(l, rows)
	if err != nil {
		return err
	}
	for row := range int(rows.NumRows()) {
		k, _ := keys.at(row)
		e.new[k] = struct{}{}
	}
	return nil
}

func (e *expected) keep(l *layout, rows arrow.Record) error {
	keys, err := newKeys(l, rows)
	if err != nil {
		return err
	}
	signs, err := newSigner(l, rows)
	if err != nil {
		return err
	}
	writes := e.db.NewBatch()
	defer writes.Close()
	var words []uint64
	ours := ofWorkflow(rows, e.workflow)
	for row := range int(rows.NumRows()) {
		if !ours(row) {
			continue
		}
		k, _ := keys.at(row)
		entity, _ := uuid.Parse(keys.entityAt(row)) // none in tables that are not about entities
		words = signs.sign(words[:0], row)
		if err := writes.Set(rowKey(l, k.id), encodeRow(entity, words), nil); err != nil {
			return fmt.Errorf("%w: %w", ErrState, err)
		}
	}
	if err := writes.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return nil
}

// ofWorkflow tells which rows of a record are a workflow's; "" and tables that do not say stand for all.
func ofWorkflow(rows arrow.Record, workflow string) func(row int) bool {
	column, ok := columnOf(rows, silver.ColWorkflowID).(*array.String)
	if workflow == "" || !ok {
		return func(int) bool { return true }
	}
	return func(row int) bool { return column.Value(row) == workflow }
}

// fill fills a window with rows whose ids are from the given one on, and returns the id of the first that did not fit, or
// uuid.Nil if all did.
func (e *expected) fill(w *window, from uuid.UUID) (next uuid.UUID, err error) {
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: rowKey(w.layout, from), UpperBound: rowKey(w.layout, uuid.Max)})
	if err != nil {
		return next, fmt.Errorf("%w: %w", ErrState, err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		id := uuid.UUID(it.Key()[len(it.Key())-len(uuid.UUID{}):])
		if len(w.rows) == windowRows {
			return id, nil
		}
		var entity uuid.UUID
		entity, w.words = decodeRow(w.words, it.Value())
		w.addRow(windowRow{key: key{id: id}, entity: entity})
	}
	if err := it.Error(); err != nil {
		return next, fmt.Errorf("%w: %w", ErrState, err)
	}
	return uuid.Nil, nil
}

func rowKey(l *layout, id uuid.UUID) []byte {
	return slices.Concat([]byte(l.table.Name), []byte{0}, id[:])
}

func encodeRow(entity uuid.UUID, words []uint64) []byte {
	value := make([]byte, 0, len(entity)+8*len(words))
	value = append(value, entity[:]...)
	for _, word := range words {
		value = binary.BigEndian.AppendUint64(value, word)
	}
	return value
}

func decodeRow(words []uint64, value []byte) (uuid.UUID, []uint64) {
	entity := uuid.UUID(value[:len(uuid.UUID{})])
	for rest := value[len(entity):]; len(rest) > 0; rest = rest[8:] {
		words = append(words, binary.BigEndian.Uint64(rest))
	}
	return entity, words
}

// quiet keeps the scratch space's chatter from the operator.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// Fatalf is called where the scratch space cannot go on; it must not return.
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf("audit: "+format, args...)) }
