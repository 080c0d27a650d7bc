package sovereign

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"assay/sovereign/schema"
)

// Append adds rows to a table without looking at keys. Its cost does not depend on the size of the table.
func (s *Store) Append(ctx context.Context, table string, rows arrow.Record) error {
	return s.write(ctx, "append to", table, rows, func(t *openTable) error { return t.native.append(rows) })
}

// Merge writes rows over those of the table with the same key (schema.Table.Key) and adds the others. A key may occur only
// once among the rows. Its cost grows with the table.
func (s *Store) Merge(ctx context.Context, table string, rows arrow.Record) error {
	return s.write(ctx, "merge into", table, rows, func(t *openTable) error { return t.native.merge(t.Key, rows) })
}

// Delete deletes the rows of a table for which the filter holds; the zero filter means all rows.
func (s *Store) Delete(ctx context.Context, table string, where schema.Filter) error {
	predicate := where.SQL()
	if predicate == "" {
		predicate = "true"
	}
	return s.on(ctx, "delete from", table, func(t *openTable) error { return t.native.delete(predicate) })
}

// write runs call, which writes rows to a table. The rows are held until it ends, which may be after write returns.
func (s *Store) write(
	ctx context.Context, doing, table string, rows arrow.Record, call func(*openTable) error,
) error {
	t, err := s.table(table)
	if err == nil {
		err = checkSchema(rows.Schema(), t.Schema)
	}
	if err == nil && rows.NumRows() > 0 {
		err = s.calls.begin(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", doing, table, err)
	}
	if rows.NumRows() == 0 {
		return nil
	}
	rows.Retain()
	_, err = run(ctx, s.calls, withoutResult(func() error {
		defer rows.Release()
		err := call(t)
		if err == nil {
			s.calls.trouble.over()
			s.warmWritten(t)
		}
		return err
	}), func(struct{}) {})
	if err != nil {
		return fmt.Errorf("%s %s: %w", doing, table, err)
	}
	return nil
}
