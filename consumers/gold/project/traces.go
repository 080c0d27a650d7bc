package project

import (
	"encoding/hex"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/consumers/silver"
	"assay/sovereign/schema"
)

// SilverRows makes rows of Silver of rows of traces, from which they were made. The caller releases them.
func SilverRows(traces arrow.Record) (arrow.Record, error) {
	columns := make([]arrow.Array, 0, silver.Schema.NumFields())
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	for _, field := range silver.Schema.Fields() {
		c, err := silverColumn(traces, field)
		if err != nil {
			return nil, fmt.Errorf("gold: column %s of traces: %w", field.Name, err)
		}
		columns = append(columns, c)
	}
	return array.NewRecord(silver.Schema, columns, traces.NumRows()), nil
}

func silverColumn(traces arrow.Record, field arrow.Field) (arrow.Array, error) {
	if field.Name == silver.ColDisposition {
		return repeated(string(bronze.Kept), int(traces.NumRows())), nil
	}
	at := traces.Schema().FieldIndices(field.Name)
	if len(at) == 0 {
		return nil, fmt.Errorf("%w: it is missing", model.ErrBatch)
	}
	c := traces.Column(at[0])
	if arrow.TypeEqual(c.DataType(), field.Type) {
		c.Retain()
		return c, nil
	}
	switch c := c.(type) {
	case *array.String:
		return uuidBytes(c)
	case *array.Int64:
		return narrowed(c), nil
	default:
		return nil, fmt.Errorf("%w: it is a %s", model.ErrBatch, c.DataType())
	}
}

func repeated(text string, n int) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	for range n {
		b.Append(text)
	}
	return b.NewArray()
}

// uuidBytes reads ids that uuidTexts wrote.
func uuidBytes(texts *array.String) (arrow.Array, error) {
	b := array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, &arrow.FixedSizeBinaryType{ByteWidth: 16})
	defer b.Release()
	for row := range texts.Len() {
		id, err := uuid.Parse(texts.Value(row))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", model.ErrBatch, err)
		}
		b.Append(id[:])
	}
	return b.NewArray(), nil
}

// narrowed is the inverse of widened.
func narrowed(c *array.Int64) arrow.Array {
	b := array.NewInt32Builder(memory.DefaultAllocator)
	defer b.Release()
	for row := range c.Len() {
		if c.IsNull(row) {
			b.AppendNull()
		} else {
			b.Append(int32(c.Value(row)))
		}
	}
	return b.NewArray()
}

// TraceRows are the rows of a group's records that traces is to have.
type TraceRows struct {
	parts     []*TracePart
	Partition int64 // -1: not told
}

// TracePart is what of one record is wanted, as runs of neighbouring rows: all of it is one run.
type TracePart struct {
	record arrow.Record
	number uint64
	late   bool
	runs   []run
}

type run struct{ from, to int64 }

// Begin adds a record of Silver, of which no row is wanted yet.
func (t *TraceRows) Begin(record arrow.Record, number uint64, late bool) *TracePart {
	part := &TracePart{record: record, number: number, late: late}
	t.parts = append(t.parts, part)
	return part
}

// Add adds a row that is wanted.
func (p *TracePart) Add(row int) {
	if n := len(p.runs); n > 0 && p.runs[n-1].to == int64(row) {
		p.runs[n-1].to++
		return
	}
	p.runs = append(p.runs, run{int64(row), int64(row) + 1})
}

func (p *TracePart) rows() (n int64) {
	for _, r := range p.runs {
		n += r.to - r.from
	}
	return n
}

// record builds one record of traces from the wanted rows that are late, or from those that are not; nil if there are
// none. The caller releases it.
func (t *TraceRows) record(late bool) (arrow.Record, error) {
	var parts []*TracePart
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
	traces := schema.ByName(schema.Traces).Schema
	columns := make([]arrow.Array, 0, traces.NumFields())
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	for _, field := range traces.Fields() {
		c, err := t.column(parts, field, rows)
		if err != nil {
			return nil, fmt.Errorf("gold: column %s of traces: %w", field.Name, err)
		}
		columns = append(columns, c)
	}
	return array.NewRecord(traces, columns, rows), nil
}

func (t *TraceRows) column(parts []*TracePart, field arrow.Field, rows int64) (arrow.Array, error) {
	switch field.Name {
	case "silver_seq":
		return numbers(parts, rows), nil
	case "partition":
		return constant(t.Partition, rows), nil
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
		return nil, fmt.Errorf("%w: a %s where traces has a %s", model.ErrBatch, c.DataType(), field.Type)
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
func numbers(parts []*TracePart, rows int64) arrow.Array {
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
