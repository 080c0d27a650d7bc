package gold

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/sovereign/schema"
)

// Limits of one AsOf.
const (
	asOfEvents     = 1_000_000
	asOfCacheBytes = 8 << 20
)

// AsOf returns the entities that the traces selected by where amount to, in no order: given those of a workflow up to a time,
// its state as of then. They are folded by the same rules as everything else, in a state of their own that is forgotten
// afterwards. The error wraps ErrTooMany if there are more than asOfEvents of them.
func AsOf(ctx context.Context, opts Options, where schema.Filter) ([]*Entity, error) {
	st, err := openState("asof", vfs.NewMem(), asOfCacheBytes, stateLogger{opts.Logger})
	if err != nil {
		return nil, err
	}
	opts.Fault = nil
	scratch := &Gold{opts: opts, state: st, sums: opts.sums()}
	entities, err := scratch.foldTraces(ctx, where)
	return entities, errors.Join(err, st.close())
}

func (g *Gold) foldTraces(ctx context.Context, where schema.Filter) ([]*Entity, error) {
	r, err := g.opts.Store.Query(ctx, schema.Query{Table: schema.Traces, Where: where})
	if err != nil {
		return nil, storeError("query", schema.Traces, err)
	}
	defer r.Release()
	for seq := uint64(1); r.Next(); seq++ {
		if g.totals.Traces+uint64(r.Record().NumRows()) > asOfEvents {
			return nil, fmt.Errorf("%w: at most %d can be folded at a time", ErrTooMany, asOfEvents)
		}
		if err := g.foldRecord(Batch{Seq: seq}, r.Record()); err != nil {
			return nil, err
		}
	}
	if err := r.Err(); err != nil {
		return nil, storeError("read", schema.Traces, err)
	}
	var found []*Entity
	err = scan(g.state.db, []byte{keyOrdinal}, func(k, _ []byte) (bool, error) {
		e, err := loadView(g.state.db, markedID(k))
		if err == nil {
			found = append(found, e)
		}
		return err == nil && ctx.Err() == nil, err
	})
	return found, errors.Join(err, context.Cause(ctx))
}

func (g *Gold) foldRecord(b Batch, traces arrow.Record) (err error) {
	if b.Record, err = silverOf(traces); err != nil {
		return err
	}
	defer b.Record.Release()
	f := g.newFold()
	f.markAll()
	defer f.close()
	a, err := f.admit([]Batch{b})
	if err != nil {
		return err
	}
	if err := f.fold(a); err != nil {
		return err
	}
	if err := g.commit(f); err != nil {
		return err
	}
	return errors.Join(g.noteSaid(), g.spread())
}

// silverOf makes rows of Silver of rows of traces, from which they were made. The caller releases them.
func silverOf(traces arrow.Record) (arrow.Record, error) {
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
		return nil, fmt.Errorf("%w: it is missing", ErrBatch)
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
		return nil, fmt.Errorf("%w: it is a %s", ErrBatch, c.DataType())
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
			return nil, fmt.Errorf("%w: %w", ErrBatch, err)
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
