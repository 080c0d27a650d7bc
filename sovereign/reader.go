package sovereign

import (
	"context"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// reader reads the rows of a query, each batch by a native call that ends with ctx. It is used by one goroutine.
type reader struct {
	ctx    context.Context // of the query, as in database/sql.Rows
	calls  *calls
	native *nativeRows
	refs   atomic.Int64

	current arrow.Record
	err     error
	ended   bool
}

var _ array.RecordReader = (*reader)(nil)

func newReader(ctx context.Context, calls *calls, native *nativeRows) *reader {
	r := &reader{ctx: ctx, calls: calls, native: native}
	r.refs.Store(1)
	return r
}

func (r *reader) Schema() *arrow.Schema { return r.native.schema }
func (r *reader) Record() arrow.Record  { return r.current }
func (r *reader) Err() error            { return r.err }
func (r *reader) Retain()               { r.refs.Add(1) }

// Release ends the query when it is called as often as the reader was retained, its creation included.
func (r *reader) Release() {
	if r.refs.Add(-1) == 0 {
		r.dropCurrent()
		r.native.free()
	}
}

// Next reads the next rows, which Record returns until the following Next.
func (r *reader) Next() bool {
	r.dropCurrent()
	if r.ended {
		return false
	}
	r.current, r.err = do(r.ctx, r.calls, r.native.next, releaseRecord)
	r.ended = r.current == nil
	return !r.ended
}

func (r *reader) dropCurrent() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

func releaseRecord(rows arrow.Record) {
	if rows != nil {
		rows.Release()
	}
}
