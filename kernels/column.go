package kernels

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// validity is the null bitmap of a column in the making. It costs nothing until the first null.
type validity struct {
	mem    memory.Allocator
	rows   int
	nulls  int
	bitmap *memory.Buffer
}

func (v *validity) setNull(row int) {
	if v.bitmap == nil {
		v.bitmap = newBuffer(v.mem, int(bitutil.BytesForBits(int64(v.rows))))
		memory.Set(v.bitmap.Bytes(), 0xFF)
	}
	bitutil.ClearBit(v.bitmap.Bytes(), row)
	v.nulls++
}

// newData puts the bitmap and a column's other buffers together.
func (v *validity) newData(t arrow.DataType, buffers ...*memory.Buffer) *array.Data {
	return array.NewData(t, v.rows, append([]*memory.Buffer{v.bitmap}, buffers...), nil, v.nulls, 0)
}

func (v *validity) release() {
	if v.bitmap != nil {
		v.bitmap.Release()
	}
}

func newBuffer(mem memory.Allocator, bytes int) *memory.Buffer {
	b := memory.NewResizableBuffer(mem)
	b.Resize(bytes)
	return b
}

// sameLength returns the number of rows that the columns share. Errors: ErrLength.
func sameLength(columns []*array.String) (int, error) {
	if len(columns) == 0 {
		return 0, fmt.Errorf("%w: there is none", ErrLength)
	}
	for _, column := range columns {
		if column.Len() != columns[0].Len() {
			return 0, fmt.Errorf("%w: %d and %d rows", ErrLength, columns[0].Len(), column.Len())
		}
	}
	return columns[0].Len(), nil
}

func anyNull(row int, columns []*array.String) bool {
	for _, column := range columns {
		if column.IsNull(row) {
			return true
		}
	}
	return false
}

// textBytes is the text of all rows of a column, which may include what null rows hide.
func textBytes(column *array.String) []byte {
	if column.Len() == 0 {
		return nil // ValueBytes may lack offsets to look at
	}
	return column.ValueBytes()
}
