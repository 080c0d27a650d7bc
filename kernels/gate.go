package kernels

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// Value is the value of a key, from which every decision to forget is made: the first 8 hexadecimal digits of the
// SHA-1 of its bytes, as a number. Its distribution is uniform, and anyone can compute it.
func Value(key []byte) uint32 {
	digest := sha1.Sum(key)
	return binary.BigEndian.Uint32(digest[:])
}

// Sheds reports whether an item is shed whose key has this value. A threshold of 0 sheds nothing, above 1 everything,
// and NaN nothing; at exactly 1 the one value 0xFFFFFFFF stays.
func Sheds(value uint32, threshold float64) bool {
	return float64(value)/math.MaxUint32 < threshold
}

// LoadSheds is the load gate for one sheddable event: the key is <stream>:<position>:<token>.
func LoadSheds(stream string, position uint64, token string, threshold float64) bool {
	var buf [128]byte
	return Sheds(Value(appendLoadKey(buf[:0], stream, position, token)), threshold)
}

// LoadGate is the load gate over the events of a batch: true means shed.
//
// An event is shed if it is sheddable and LoadSheds says so. position counts from 0, threshold is the one that was in
// force when the event was captured. A null token counts as empty, for heartbeats have none; an event with any other
// null is kept. The result has no nulls.
//
// Errors: ErrLength.
func LoadGate(
	mem memory.Allocator, stream *array.String, position *array.Int64, token *array.String,
	threshold *array.Float64, sheddable *array.Boolean,
) (*array.Boolean, error) {
	events := loadEvents{stream, position, token, threshold, sheddable}
	rows, err := events.rows()
	if err != nil {
		return nil, fmt.Errorf("load gate: %w", err)
	}
	bits := newBuffer(mem, int(bitutil.BytesForBits(int64(rows))))
	defer bits.Release()
	clear(bits.Bytes())
	for s := newStrip(rows); s.next(); {
		for row := s.first; row < s.last; row++ {
			if events.exposed(row) {
				s.text = events.appendKey(s.text, row)
			}
			s.end()
		}
		for row := s.first; row < s.last; row++ {
			if key := s.message(row); len(key) > 0 {
				bits.Bytes()[row/8] |= bit(Sheds(Value(key), threshold.Value(row))) << (row % 8)
			}
		}
	}
	return array.NewBoolean(rows, bits, nil, 0), nil
}

// bit is 1 for true. Unlike a branch on a decision to shed, it cannot be predicted wrongly.
func bit(b bool) (n byte) {
	if b {
		n = 1
	}
	return n
}

// loadEvents are the columns that the load gate looks at.
type loadEvents struct {
	stream    *array.String
	position  *array.Int64
	token     *array.String
	threshold *array.Float64
	sheddable *array.Boolean
}

func (e *loadEvents) rows() (int, error) {
	rows := e.stream.Len()
	for _, column := range []arrow.Array{e.position, e.token, e.threshold, e.sheddable} {
		if column.Len() != rows {
			return 0, fmt.Errorf("%w: %d and %d rows", ErrLength, rows, column.Len())
		}
	}
	return rows, nil
}

// exposed reports whether the event may be shed at all. Most are not, without load, and cost no hash.
func (e *loadEvents) exposed(row int) bool {
	return e.sheddable.IsValid(row) && e.sheddable.Value(row) &&
		e.threshold.IsValid(row) && e.threshold.Value(row) > 0 &&
		e.stream.IsValid(row) && e.position.IsValid(row)
}

func (e *loadEvents) appendKey(dst []byte, row int) []byte {
	token := ""
	if e.token.IsValid(row) {
		token = e.token.Value(row)
	}
	return appendLoadKey(dst, e.stream.Value(row), uint64(e.position.Value(row)), token)
}

func appendLoadKey(dst []byte, stream string, position uint64, token string) []byte {
	dst = append(dst, stream...)
	dst = append(dst, ':')
	dst = strconv.AppendUint(dst, position, 10)
	dst = append(dst, ':')
	return append(dst, token...)
}
