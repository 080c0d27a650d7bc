package sovereign

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"assay/sovereign/schema"
)

// Index describes an index of a table as it is.
type Index struct {
	Name          string
	Column        string
	Type          string // as LanceDB calls it
	RowsUnindexed int64  // rows that queries scan because the index does not have them yet; Optimise adds them
}

// EnsureIndexes builds the indexes of tables.All that are missing: those on scalar columns once a table has rows; those on
// text are there from the beginning, since they decide what counts as a word. Reads and writes go on meanwhile.
func (s *Store) EnsureIndexes(ctx context.Context) error {
	errs := make([]error, 0, len(schema.All))
	for _, definition := range schema.All {
		errs = append(errs, s.ensureIndexes(ctx, definition))
	}
	return errors.Join(errs...)
}

// Indexes lists the indexes of a table.
func (s *Store) Indexes(ctx context.Context, table string) ([]Index, error) {
	t, err := s.table(table)
	if err != nil {
		return nil, fmt.Errorf("indexes of %s: %w", table, err)
	}
	found, err := do(ctx, s.calls, t.native.indexes, func([]nativeIndex) {})
	if err != nil {
		return nil, fmt.Errorf("indexes of %s: %w", table, err)
	}
	var indexes []Index
	for _, index := range found {
		if len(index.Columns) == 1 {
			indexes = append(indexes, Index{index.Name, index.Columns[0], index.Type, index.RowsUnindexed})
		}
	}
	return indexes, nil
}

func (s *Store) ensureIndexes(ctx context.Context, definition schema.Table) error {
	return s.on(ctx, "index", definition.Name, (*openTable).ensureIndexes)
}

func (t *openTable) ensureIndexes() error {
	found, err := t.native.indexes()
	if err != nil {
		return err
	}
	for _, index := range t.Indexes {
		if slices.ContainsFunc(found, func(f nativeIndex) bool { return slices.Equal(f.Columns, []string{index.Column}) }) {
			continue
		}
		if err := t.ensureIndex(index); err != nil {
			return fmt.Errorf("column %s: %w", index.Column, err)
		}
	}
	return nil
}

// ensureIndex builds an index if there are rows for it.
func (t *openTable) ensureIndex(index schema.Index) error {
	if index.Kind == schema.FullText {
		return t.native.createIndex(index.Column, "fts")
	}
	rows, err := t.native.count(index.Column + " IS NOT NULL")
	if err != nil || rows == 0 {
		return err
	}
	kind := "btree"
	if index.Kind == schema.Bitmap {
		kind = "bitmap"
	}
	return t.native.createIndex(index.Column, kind)
}
