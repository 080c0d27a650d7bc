package sovereign

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/sovereign/schema"
)

// Query returns the rows that q asks for, as they are when it begins. The caller releases the reader. When ctx ends, so do
// the rows, with its cause as the reader's error.
func (s *Store) Query(ctx context.Context, q schema.Query) (array.RecordReader, error) {
	reader, err := s.query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", q.Table, err)
	}
	return reader, nil
}

// Count returns the number of rows of a table for which the filter holds; the zero filter means all rows.
func (s *Store) Count(ctx context.Context, table string, where schema.Filter) (int64, error) {
	t, err := s.table(table)
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", table, err)
	}
	n, err := do(ctx, s.calls, func() (int64, error) { return t.native.count(where.SQL()) }, func(int64) {})
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", table, err)
	}
	return n, nil
}

func (s *Store) query(ctx context.Context, q schema.Query) (array.RecordReader, error) {
	t, err := s.table(q.Table)
	if err != nil {
		return nil, err
	}
	description, err := describe(q)
	if err != nil {
		return nil, err
	}
	if q.Nearest != nil || q.Match != nil {
		s.asked.Store(true)
	}
	native, err := do(ctx, s.calls,
		func() (*nativeRows, error) { return t.native.query(description) }, (*nativeRows).free)
	if err != nil {
		return nil, err
	}
	return newReader(ctx, s.calls, native), nil
}
