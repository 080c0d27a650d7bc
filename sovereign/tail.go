package sovereign

import (
	"context"
	"fmt"
	"math"

	"assay/sovereign/schema"
)

// The indexes that queries are ranked by learn of new rows by ExtendIndexes and Optimise. Until then these rows are indexed in
// memory by the native library, so that a query takes as long whether there are such rows or not.

// Rows that a scalar index lacks before ExtendIndexes brings it up to date, at rest and in a burst: each query with a filter reads
// them.
const (
	extendRows      = 8 << 10
	extendRowsBurst = 64 << 10
)

// extendRankedFrom is how many rows the other indexes lack before. They are found in memory as fast as in an index. Indexing
// many at once costs least for each, and a burst that ends before memory is full leaves it to the time after.
func (o Options) extendRankedFrom(burst bool) int64 {
	switch {
	case burst && o.Unasked:
		return math.MaxInt64
	case burst:
		return o.TailRows / 8 * 7
	}
	return o.TailRows / 2
}

// ExtendIndexes brings those indexes of a table up to date that lack many rows: a small step of what Optimise does. In a burst
// it does only what cannot wait. Reads and writes go on meanwhile.
func (s *Store) ExtendIndexes(ctx context.Context, table string, burst bool) error {
	indexes, err := s.Indexes(ctx, table)
	if err != nil {
		return err
	}
	for _, index := range indexes {
		if index.RowsUnindexed < s.extendFrom(index.Column, burst) {
			continue
		}
		err := s.on(ctx, "extend an index of", table, func(t *openTable) error {
			return t.native.extendIndex(index.Name, segmentFragments*s.opts.FragmentRows)
		})
		if err != nil {
			return fmt.Errorf("%w (column %s)", err, index.Column)
		}
	}
	return nil
}

// segmentFragments is how many fragments' rows a part of an index is merged up to.
const segmentFragments = 4

func (s *Store) extendFrom(column string, burst bool) int64 {
	switch {
	case column == vectorColumn || column == textColumn:
		return s.opts.extendRankedFrom(burst)
	case burst:
		return extendRowsBurst
	default:
		return extendRows
	}
}

// warmWritten indexes what was written in memory, once somebody has asked for what is ranked: a run that nobody asks does not pay for
// it, and the first question does it for all rows.
func (s *Store) warmWritten(t *openTable) {
	if s.asked.Load() {
		_ = s.warm(t) // the rows are written; a query that cannot be made ready reads them, and says what fails
	}
}

// warm indexes the rows of a table in memory that its indexes lack.
func (s *Store) warm(t *openTable) error {
	if t.Name != schema.Episodes {
		return nil
	}
	return t.native.warm()
}

// warmLater indexes in memory what the last run left, without waiting for it; a query that comes meanwhile waits for what it
// needs.
func (s *Store) warmLater(ctx context.Context) error {
	if err := s.calls.begin(ctx); err != nil {
		return err
	}
	go func() {
		defer s.calls.end()
		// It only makes the first query faster: one that cannot be made ready reads the rows itself, and says what fails.
		_ = s.warm(s.tables[schema.Episodes])
	}()
	return nil
}
