package audit

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cockroachdb/pebble/v2"

	"assay/internal/ops/retention"
	"assay/sovereign/schema"
)

// pictureRows is how many rows are written to the scratch space at a time.
const pictureRows = 4096

// picture keeps the signatures of a table's rows as they are now. Rows that were deleted from the table do not hold it up.
func (a *audit) picture(ctx context.Context, l *layout) error {
	var where schema.Filter
	if a.Workflow != "" {
		if !l.ofWorkflow() {
			return nil // its rows are about all workflows together
		}
		where = a.where()
	}
	where = schema.And(where, retention.Stays(l.table.Name, a.Kept[l.table.Name]))
	writes := a.expected.db.NewBatch()
	defer func() { writes.Close() }()
	var number uint64
	err := scan(ctx, a.Store, l, where, func(r *row) error {
		if number++; number%pictureRows == 0 {
			if err := writes.Commit(pebble.NoSync); err != nil { // saving the checkpoint syncs all of it
				return stateError(err)
			}
			writes.Reset()
		}
		return stateError(writes.Set(storedKey(l.table.Name, r.id, number), r.encode(), nil))
	})
	if err != nil {
		return err
	}
	return stateError(writes.Commit(pebble.NoSync))
}

// scan passes the stored rows for which where holds to use, which must not keep their words.
func scan(ctx context.Context, store schema.Reader, l *layout, where schema.Filter, use func(*row) error) error {
	return scanRecords(ctx, store, l, where, func(record arrow.Record) error {
		signed, err := newSigned(l, record)
		if err != nil {
			return err
		}
		var r row
		for i := range int(record.NumRows()) {
			signed.read(i, &r)
			if err := use(&r); err != nil {
				return err
			}
		}
		return nil
	})
}

func scanRecords(ctx context.Context, store schema.Reader, l *layout, where schema.Filter, use func(arrow.Record) error) error {
	reader, err := store.Query(ctx, schema.Query{Table: l.table.Name, Columns: l.columns, Where: where})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	defer reader.Release()
	for reader.Next() {
		if err := use(reader.Record()); err != nil {
			return err
		}
	}
	if err := reader.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return nil
}

// signed reads the rows of a record.
type signed struct {
	keys  *keyReader
	signs *signer
}

func newSigned(l *layout, record arrow.Record) (s signed, err error) {
	if s.keys, err = newKeys(l, record); err == nil {
		s.signs, err = newSigner(l, record)
	}
	return s, err
}

func (s signed) read(i int, r *row) {
	k, text := s.keys.at(i)
	r.id, r.text, r.entity = k.ID, "", s.keys.entityAt(i)
	if text != "" && text != k.ID.String() {
		r.text = text
	}
	r.words = s.signs.sign(r.words[:0], i)
}
