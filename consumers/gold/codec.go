package gold

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/google/uuid"
)

// encoder appends values to a record of the state store. Equal values have equal encodings, so that states can be
// compared as bytes.
type encoder []byte

func (e *encoder) byte(b byte)     { *e = append(*e, b) }
func (e *encoder) uint(v uint64)   { *e = binary.AppendUvarint(*e, v) }
func (e *encoder) int(v int64)     { *e = binary.AppendVarint(*e, v) }
func (e *encoder) real(v float64)  { *e = binary.BigEndian.AppendUint64(*e, math.Float64bits(v)) }
func (e *encoder) id(id uuid.UUID) { *e = append(*e, id[:]...) }

func (e *encoder) bool(b bool) {
	if b {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

func (e *encoder) string(s string) {
	e.uint(uint64(len(s)))
	*e = append(*e, s...)
}

func (e *encoder) stamp(s stamp) {
	e.int(s.ts)
	e.uint(s.position)
	e.uint(uint64(s.part))
	e.id(s.id)
}

func (e *encoder) register(r register) {
	e.string(r.value)
	if r.value != "" {
		e.stamp(r.at)
	}
}

// decoder reads what an encoder wrote. The first error sticks and every later read returns zero.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) byte() byte {
	b := d.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

func (d *decoder) bool() bool { return d.byte() != 0 }

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) fixed() (v uint64) {
	if b := d.take(8); b != nil {
		v = binary.BigEndian.Uint64(b)
	}
	return v
}

func (d *decoder) fixed32() (v uint32) {
	if b := d.take(4); b != nil {
		v = binary.BigEndian.Uint32(b)
	}
	return v
}

func (d *decoder) real() float64 { return math.Float64frombits(d.fixed()) }

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) id() (id uuid.UUID) {
	copy(id[:], d.take(uint64(len(id))))
	return id
}

func (d *decoder) string() string { return string(d.take(d.uint())) }

func (d *decoder) stamp() stamp {
	return stamp{ts: d.int(), position: d.uint(), part: uint32(d.uint()), id: d.id()}
}

func (d *decoder) register() (r register) {
	if r.value = d.string(); r.value != "" {
		r.at = d.stamp()
	}
	return r
}

// end returns the first error, or one if anything is left over.
func (d *decoder) end() error {
	if d.err == nil && len(d.rest) > 0 {
		return fmt.Errorf("%w: %d bytes too many", errUnreadable, len(d.rest))
	}
	return d.err
}

func (d *decoder) skip(n int) {
	if n <= 0 {
		d.fail()
		return
	}
	d.rest = d.rest[n:]
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) fail() {
	d.rest = nil
	if d.err == nil {
		d.err = fmt.Errorf("%w: too short", errUnreadable)
	}
}
