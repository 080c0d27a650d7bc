package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/google/uuid"
)

// Sentinels of what is pure.
var (
	// ErrState means that the state store could not be read or written, or holds what this program did not write.
	ErrState = errors.New("gold: state store failed")
	// ErrBatch means that a record has not Silver's schema.
	ErrBatch = errors.New("gold: malformed batch")
)

// Encoder appends values to a record of the state store. Equal values have equal encodings, so that states can be
// compared as bytes.
type Encoder []byte

func (e *Encoder) byte(b byte) { *e = append(*e, b) }

// Uint appends a number of up to ten bytes, fewer the smaller it is.
func (e *Encoder) Uint(v uint64)  { *e = binary.AppendUvarint(*e, v) }
func (e *Encoder) int(v int64)    { *e = binary.AppendVarint(*e, v) }
func (e *Encoder) real(v float64) { *e = binary.BigEndian.AppendUint64(*e, math.Float64bits(v)) }

// ID appends an id, 16 bytes.
func (e *Encoder) ID(id uuid.UUID) { *e = append(*e, id[:]...) }

func (e *Encoder) bool(b bool) {
	if b {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

func (e *Encoder) string(s string) {
	e.Uint(uint64(len(s)))
	*e = append(*e, s...)
}

func (e *Encoder) stamp(s Stamp) {
	e.int(s.TS)
	e.Uint(s.position)
	e.Uint(uint64(s.part))
	e.ID(s.ID)
}

func (e *Encoder) register(r register) {
	e.string(r.Value)
	if r.Value != "" {
		e.stamp(r.at)
	}
}

// Decoder reads what an encoder wrote. The first error sticks and every later read returns zero.
type Decoder struct {
	Rest []byte
	Err  error
}

func (d *Decoder) byte() byte {
	b := d.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

func (d *Decoder) bool() bool { return d.byte() != 0 }

// Uint reads what Encoder.Uint wrote.
func (d *Decoder) Uint() uint64 {
	v, n := binary.Uvarint(d.Rest)
	d.skip(n)
	return v
}

// Fixed reads eight bytes, the most significant first.
func (d *Decoder) Fixed() (v uint64) {
	if b := d.take(8); b != nil {
		v = binary.BigEndian.Uint64(b)
	}
	return v
}

func (d *Decoder) fixed32() (v uint32) {
	if b := d.take(4); b != nil {
		v = binary.BigEndian.Uint32(b)
	}
	return v
}

func (d *Decoder) real() float64 { return math.Float64frombits(d.Fixed()) }

// Int reads a number with a sign.
func (d *Decoder) Int() int64 {
	v, n := binary.Varint(d.Rest)
	d.skip(n)
	return v
}

// ID reads an id.
func (d *Decoder) ID() (id uuid.UUID) {
	copy(id[:], d.take(uint64(len(id))))
	return id
}

func (d *Decoder) string() string { return string(d.take(d.Uint())) }

func (d *Decoder) stamp() Stamp {
	return Stamp{TS: d.Int(), position: d.Uint(), part: uint32(d.Uint()), ID: d.ID()}
}

func (d *Decoder) register() (r register) {
	if r.Value = d.string(); r.Value != "" {
		r.at = d.stamp()
	}
	return r
}

// End returns the first error, or one if anything is left over.
func (d *Decoder) End() error {
	if d.Err == nil && len(d.Rest) > 0 {
		return fmt.Errorf("%w: %d bytes too many", ErrUnreadable, len(d.Rest))
	}
	return d.Err
}

func (d *Decoder) skip(n int) {
	if n <= 0 {
		d.fail()
		return
	}
	d.Rest = d.Rest[n:]
}

func (d *Decoder) take(n uint64) []byte {
	if n > uint64(len(d.Rest)) {
		d.fail()
		return nil
	}
	b := d.Rest[:n]
	d.Rest = d.Rest[n:]
	return b
}

func (d *Decoder) fail() {
	d.Rest = nil
	if d.Err == nil {
		d.Err = fmt.Errorf("%w: too short", ErrUnreadable)
	}
}

// ErrUnreadable means that a stored record is not what this program writes.
var ErrUnreadable = fmt.Errorf("%w: a stored record is unreadable", ErrState)
