package schema

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Scan reads all rows of r into structs. Fields are matched to columns by their tag `col`; a null leaves the field at
// its zero value, a column without a field is passed over. Fields may be string, int64, float32, float64, bool, time.Time or,
// for vectors, []float32; strings and vectors are copied, since the buffers of r end with it. The caller releases r and bounds
// the rows by the query's Limit.
func Scan[T any](r array.RecordReader) ([]T, error) {
	var rows []T
	for r.Next() {
		more, err := scanRecord[T](r.Record())
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, r.Err()
}

// Rows is Scan for those who may not want all: it reads on as rows are asked for. An error is the last that it yields.
func Rows[T any](r array.RecordReader) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for r.Next() {
			rows, err := scanRecord[T](r.Record())
			if err != nil {
				yield(none, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}
		if err := r.Err(); err != nil {
			yield(none, err)
		}
	}
}

func scanRecord[T any](record arrow.Record) ([]T, error) {
	rows := make([]T, record.NumRows())
	for i, field := range fieldsOf(reflect.TypeFor[T](), record.Schema()) {
		if field == nil {
			continue
		}
		if err := scanColumn(rows, field, record.Column(i)); err != nil {
			return nil, fmt.Errorf("tables: column %s: %w", record.ColumnName(i), err)
		}
	}
	return rows, nil
}

// fieldsOf returns the index of the struct field for each column, nil for a column without one.
func fieldsOf(t reflect.Type, schema *arrow.Schema) [][]int {
	byColumn := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		if column := f.Tag.Get("col"); column != "" {
			byColumn[column] = f.Index
		}
	}
	fields := make([][]int, schema.NumFields())
	for i, f := range schema.Fields() {
		fields[i] = byColumn[f.Name]
	}
	return fields
}

func scanColumn[T any](rows []T, field []int, column arrow.Array) error {
	set, err := setter(column)
	if err != nil {
		return err
	}
	for i := range rows {
		if column.IsValid(i) {
			set(reflect.ValueOf(&rows[i]).Elem().FieldByIndex(field), i)
		}
	}
	return nil
}

func setter(column arrow.Array) (func(field reflect.Value, row int), error) {
	switch c := column.(type) {
	case *array.String:
		return func(f reflect.Value, i int) { f.SetString(strings.Clone(c.Value(i))) }, nil
	case *array.LargeString:
		return func(f reflect.Value, i int) { f.SetString(strings.Clone(c.Value(i))) }, nil
	case *array.Int64:
		return func(f reflect.Value, i int) { f.SetInt(c.Value(i)) }, nil
	case *array.Int32:
		return func(f reflect.Value, i int) { f.SetInt(int64(c.Value(i))) }, nil
	case *array.Float32:
		return func(f reflect.Value, i int) { f.SetFloat(float64(c.Value(i))) }, nil
	case *array.Float64:
		return func(f reflect.Value, i int) { f.SetFloat(c.Value(i)) }, nil
	case *array.Boolean:
		return func(f reflect.Value, i int) { f.SetBool(c.Value(i)) }, nil
	case *array.Timestamp:
		toTime, err := c.DataType().(*arrow.TimestampType).GetToTimeFunc()
		if err != nil {
			return nil, err
		}
		return func(f reflect.Value, i int) { f.Set(reflect.ValueOf(toTime(c.Value(i)).UTC())) }, nil
	case *array.FixedSizeList:
		return vectorSetter(c)
	default:
		return nil, fmt.Errorf("cannot read a %s", column.DataType())
	}
}

func vectorSetter(c *array.FixedSizeList) (func(field reflect.Value, row int), error) {
	numbers, ok := c.ListValues().(*array.Float32)
	if !ok {
		return nil, fmt.Errorf("cannot read a %s", c.DataType())
	}
	return func(f reflect.Value, i int) {
		from, to := c.ValueOffsets(i)
		f.Set(reflect.ValueOf(slices.Clone(numbers.Float32Values()[from:to])))
	}, nil
}
