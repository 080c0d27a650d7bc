package kernels

import (
	"encoding/binary"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

const uuidBytes = 16

// uuidColumn builds a column of UUIDs, in the storage type of the canonical extension type arrow.uuid.
type uuidColumn struct {
	data  *memory.Buffer
	valid validity
}

func newUUIDColumn(mem memory.Allocator, rows int) *uuidColumn {
	return &uuidColumn{data: newBuffer(mem, rows*uuidBytes), valid: validity{mem: mem, rows: rows}}
}

// put makes UUIDs of a strip's digests. A row without one is null.
func (c *uuidColumn) put(s *strip) {
	for row := s.first; row < s.last; row++ {
		id := c.data.Bytes()[row*uuidBytes:][:uuidBytes]
		if digest := s.digest(row); digest != nil {
			putUUID(id, digest)
		} else {
			clear(id)
			c.valid.setNull(row)
		}
	}
}

// putUUID makes a UUID of the first 16 bytes of a digest: version 5 in the high half of byte 6, variant 10 in the top
// bits of byte 8.
func putUUID(id, digest []byte) {
	be := binary.BigEndian
	be.PutUint64(id, be.Uint64(digest)&^0xF000|0x5000)
	be.PutUint64(id[8:], be.Uint64(digest[8:])&^(0xC0<<56)|0x80<<56)
}

func (c *uuidColumn) finish() *array.FixedSizeBinary {
	data := c.valid.newData(&arrow.FixedSizeBinaryType{ByteWidth: uuidBytes}, c.data)
	defer data.Release()
	return array.NewFixedSizeBinaryData(data)
}

func (c *uuidColumn) release() {
	c.data.Release()
	c.valid.release()
}
