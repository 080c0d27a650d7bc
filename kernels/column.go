package kernels

import (
	"fmt"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// textBytesMax is the most text that a String column can hold.
const textBytesMax = math.MaxInt32

// textColumn builds a String column of a known number of rows straight into its buffers, so that a kernel can compute a
// row's bytes in place. For each row: append to text, where there is room or after grow, then endRow; or null.
type textColumn struct {
	row     int    // rows ended so far
	text    []byte // written so far; its array is that of data
	ends    []int32
	offsets *memory.Buffer
	data    *memory.Buffer
	valid   validity
}

// newTextColumn has room for size bytes of text. Errors: ErrTooLarge.
func newTextColumn(mem memory.Allocator, rows, size int) (*textColumn, error) {
	if size > textBytesMax {
		return nil, ErrTooLarge
	}
	c := &textColumn{
		offsets: newBuffer(mem, (rows+1)*arrow.Int32SizeBytes),
		data:    newBuffer(mem, size),
		valid:   validity{mem: mem, rows: rows},
	}
	c.ends = arrow.Int32Traits.CastFromBytes(c.offsets.Bytes())
	c.ends[0] = 0
	c.text = c.data.Buf()[:0]
	return c, nil
}

// grow makes room for n more bytes, after which appending them to text moves nothing. Errors: ErrTooLarge.
func (c *textColumn) grow(n int) error {
	need := len(c.text) + n
	if need > textBytesMax {
		return ErrTooLarge
	}
	if need <= cap(c.text) {
		return nil
	}
	c.data.Reserve(min(max(need, 2*cap(c.text)), textBytesMax))
	c.text = c.data.Buf()[:len(c.text)]
	return nil
}

func (c *textColumn) endRow() {
	c.row++
	c.ends[c.row] = int32(len(c.text))
}

func (c *textColumn) null() {
	c.valid.setNull(c.row)
	c.endRow()
}

func (c *textColumn) finish() *array.String {
	c.data.ResizeNoShrink(len(c.text))
	data := c.valid.newData(arrow.BinaryTypes.String, c.offsets, c.data)
	defer data.Release()
	return array.NewStringData(data)
}

func (c *textColumn) release() {
	c.offsets.Release()
	c.data.Release()
	c.valid.release()
}

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

// textArray is a column of strings, with 32-bit or 64-bit offsets.
type textArray interface {
	arrow.Array
	Value(row int) string
	ValueBytes() []byte
}

// textBytes is the text of all rows of a column, which may include what null rows hide.
func textBytes(column textArray) []byte {
	if column.Len() == 0 {
		return nil // ValueBytes may lack offsets to look at
	}
	return column.ValueBytes()
}
