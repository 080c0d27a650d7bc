package gold

import (
	"encoding/hex"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"assay/sovereign/schema"
)

// traceRows are the rows of a group's records that traces is to have.
type traceRows struct {
	parts     []*tracePart
	partition int64 // -1: not told
}

// tracePart is what of one record is wanted, as runs of neighbouring rows: all of it is one run.
type tracePart struct {
	record arrow.Record
	number uint64
	late   bool
	runs   []run
}

type run struct{ from, to int64 }

func (t *traceRows) begin(record arrow.Record, number uint64, late bool) *tracePart {
	part := &tracePart{record: record, number: number, late: late}
	t.parts = append(t.parts, part)
	return part
}

func (p *tracePart) add(row int) {
	if n := len(p.runs); n > 0 && p.runs[n-1].to == int64(row) {
		p.runs[n-1].to++
		return
	}
	p.runs = append(p.runs, run{int64(row), int64(row) + 1})
}

func (p *tracePart) rows() (n int64) {
	for _, r := range p.runs {
		n += r.to - r.from
	}
	return n
}

// record builds one record of traces from the wanted rows that are late, or from those that are not; nil if there are
// none. The caller releases it.
func (t *traceRows) record(late bool) (arrow.Record, error) {
	var parts []*tracePart
	var rows int64
	for _, p := range t.parts {
		if p.late == late && len(p.runs) > 0 {
			parts = append(parts, p)
			rows += p.rows()
		}
	}
	if rows == 0 {
		return nil, nil
	}
	schema := schema.ByName(schema.Traces).Schema
	columns := make([]arrow.Array, 0, schema.NumFields())
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	for _, field := range schema.Fields() {
		c, err := t.column(parts, field, rows)
		if err != nil {
			return nil, fmt.Errorf("gold: column %s of traces: %w", field.Name, err)
		}
		columns = append(columns, c)
	}
	return array.NewRecord(schema, columns, rows), nil
}

func (t *traceRows) column(parts []*tracePart, field arrow.Field, rows int64) (arrow.Array, error) {
	switch field.Name {
	case "silver_seq":
		return numbers(parts, rows), nil
	case "partition":
		return constant(t.partition, rows), nil
	}
	slices := make([]arrow.Array, 0, len(parts))
	defer func() {
		for _, s := range slices {
			s.Release()
		}
	}()
	for _, p := range parts {
		column := p.record.Column(p.record.Schema().FieldIndices(field.Name)[0])
		for _, r := range p.runs {
			slices = append(slices, array.NewSlice(column, r.from, r.to))
		}
	}
	joined, err := join(slices)
	if err != nil || arrow.TypeEqual(joined.DataType(), field.Type) {
		return joined, err
	}
	defer joined.Release()
	switch c := joined.(type) {
	case *array.FixedSizeBinary:
		return uuidTexts(c), nil
	case *array.Int32:
		return widened(c), nil
	default:
		return nil, fmt.Errorf("%w: a %s where traces has a %s", ErrBatch, c.DataType(), field.Type)
	}
}

func join(slices []arrow.Array) (arrow.Array, error) {
	if len(slices) == 1 {
		slices[0].Retain()
		return slices[0], nil
	}
	return array.Concatenate(slices, memory.DefaultAllocator)
}

// numbers returns the column silver_seq.
func numbers(parts []*tracePart, rows int64) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(int(rows))
	for _, p := range parts {
		for range p.rows() {
			b.UnsafeAppend(int64(p.number))
		}
	}
	return b.NewArray()
}

// constant is a column that says the same in each row, null for a negative number.
func constant(n, rows int64) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(int(rows))
	for range rows {
		if n < 0 {
			b.UnsafeAppendBoolToBitmap(false)
		} else {
			b.UnsafeAppend(n)
		}
	}
	return b.NewArray()
}

// uuidTexts writes 16-byte ids out as lower-case texts.
func uuidTexts(ids *array.FixedSizeBinary) arrow.Array {
	const length = 36
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(ids.Len())
	b.ReserveData(length * ids.Len())
	var text [length]byte
	for row := range ids.Len() {
		id := ids.Value(row)
		hex.Encode(text[0:8], id[0:4])
		hex.Encode(text[9:13], id[4:6])
		hex.Encode(text[14:18], id[6:8])
		hex.Encode(text[19:23], id[8:10])
		hex.Encode(text[24:36], id[10:16])
		text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
		b.BinaryBuilder.Append(text[:])
	}
	return b.NewArray()
}

func widened(c *array.Int32) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(c.Len())
	for row := range c.Len() {
		if c.IsNull(row) {
			b.AppendNull()
		} else {
			b.Append(int64(c.Value(row)))
		}
	}
	return b.NewArray()
}
