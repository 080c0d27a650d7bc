package kernels

import (
	"fmt"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// MapChunks runs a kernel over chunked columns: once for each stretch of rows that is contiguous in all of them, without
// copying. The result has type t and one chunk a stretch. kernel neither keeps nor releases its arguments.
//
// Errors: ErrLength, and what kernel returns.
func MapChunks(
	t arrow.DataType, kernel func(columns []arrow.Array) (arrow.Array, error), columns ...*arrow.Chunked,
) (*arrow.Chunked, error) {
	stretches, err := newStretches(columns)
	if err != nil {
		return nil, fmt.Errorf("map chunks: %w", err)
	}
	defer stretches.Release()
	var results []arrow.Array
	defer func() {
		for _, result := range results {
			result.Release()
		}
	}()
	for stretches.Next() {
		result, err := kernel(stretches.Record().Columns())
		if err != nil {
			return nil, fmt.Errorf("map chunks: %w", err)
		}
		results = append(results, result)
	}
	return arrow.NewChunked(t, results), nil
}

// newStretches aligns the chunks by Arrow's table reader. Errors: ErrLength.
func newStretches(columns []*arrow.Chunked) (*array.TableReader, error) {
	if len(columns) == 0 {
		return nil, fmt.Errorf("%w: there is no column", ErrLength)
	}
	fields := make([]arrow.Field, len(columns))
	chunks := make([][]arrow.Array, len(columns))
	for i, column := range columns {
		if column.Len() != columns[0].Len() {
			return nil, fmt.Errorf("%w: %d and %d rows", ErrLength, columns[0].Len(), column.Len())
		}
		fields[i] = arrow.Field{Name: strconv.Itoa(i), Type: column.DataType(), Nullable: true}
		chunks[i] = column.Chunks()
	}
	table := array.NewTableFromSlice(arrow.NewSchema(fields, nil), chunks)
	defer table.Release()
	return array.NewTableReader(table, 0), nil
}
