package project

import (
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"

	"assay/sovereign/schema"
)

// rows builds a record of a table, value by value in the order of its columns.
type rows struct {
	*array.RecordBuilder
	table  string
	column int
	count  int
}

func newRows(table string) *rows { return newRowsOf(table, schema.ByName(table).Schema) }

// newEpisodeRows builds episodes whose vectors have that many dimensions.
func newEpisodeRows(dimensions int) *rows {
	return newRowsOf(schema.Episodes, schema.EpisodesSchema(dimensions))
}

func newRowsOf(table string, of *arrow.Schema) *rows {
	return &rows{RecordBuilder: array.NewRecordBuilder(memory.DefaultAllocator, of), table: table}
}

func (r *rows) next() array.Builder {
	b := r.Field(r.column)
	if r.column++; r.column == len(r.Fields()) {
		r.column = 0
		r.count++
	}
	return b
}

// skip leaves columns empty, which others fill.
func (r *rows) skip(columns int) {
	for range columns {
		r.next()
	}
}

func (r *rows) text(v string) { r.next().(*array.StringBuilder).Append(v) }

func (r *rows) textOrNull(v string) {
	if v == "" {
		r.next().AppendNull()
		return
	}
	r.text(v)
}

// idOrNull appends null for uuid.Nil.
func (r *rows) idOrNull(id uuid.UUID) {
	if id == uuid.Nil {
		r.next().AppendNull()
		return
	}
	r.text(id.String())
}

func (r *rows) integer(v int64) { r.next().(*array.Int64Builder).Append(v) }

// integerOrNull appends null for a negative number.
func (r *rows) integerOrNull(v int64) {
	if v < 0 {
		r.next().AppendNull()
		return
	}
	r.integer(v)
}

// realOrNull appends null for a negative number.
func (r *rows) realOrNull(v float64) {
	b := r.next().(*array.Float64Builder)
	if v < 0 {
		b.AppendNull()
		return
	}
	b.Append(v)
}

func (r *rows) instant(t time.Time) {
	r.next().(*array.TimestampBuilder).Append(arrow.Timestamp(t.UnixMicro()))
}

func (r *rows) instantOrNull(t time.Time) {
	if t.IsZero() {
		r.next().AppendNull()
		return
	}
	r.instant(t)
}

// vectorOrNull appends null for an empty vector.
func (r *rows) vectorOrNull(v []float32) {
	b := r.next().(*array.FixedSizeListBuilder)
	if len(v) == 0 {
		b.AppendNull()
		return
	}
	b.Append(true)
	b.ValueBuilder().(*array.Float32Builder).AppendValues(v, nil)
}
