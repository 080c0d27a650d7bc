package kernels

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
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
	nulls := stream.NullN() + position.NullN() + token.NullN() + threshold.NullN() + sheddable.NullN()
	events := loadEvents{stream, position, token, threshold, sheddable, nulls > 0}
	rows, err := events.rows()
	if err != nil {
		return nil, fmt.Errorf("load gate: %w", err)
	}
	shed := newBuffer(mem, int(bitutil.BytesForBits(int64(rows))))
	defer shed.Release()
	decisions := shed.Bytes()
	clear(decisions)
	var key []byte
	for row := range rows {
		if events.exposed(row) {
			key = events.appendKey(key[:0], row)
			decisions[row/8] |= bit(Sheds(Value(key), threshold.Value(row))) << (row % 8)
		}
	}
	return array.NewBoolean(rows, shed, nil, 0), nil
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
	nulls     bool // are there any at all?
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
	return e.sheddable.Value(row) && e.threshold.Value(row) > 0 && !(e.nulls && e.decidedByNull(row))
}

func (e *loadEvents) decidedByNull(row int) bool {
	return e.sheddable.IsNull(row) || e.threshold.IsNull(row) || e.stream.IsNull(row) || e.position.IsNull(row)
}

func (e *loadEvents) appendKey(dst []byte, row int) []byte {
	token := ""
	if !e.nulls || e.token.IsValid(row) {
		token = e.token.Value(row)
	}
	return appendLoadKey(dst, e.stream.Value(row), uint64(e.position.Value(row)), token)
}

func appendLoadKey(dst []byte, stream string, position uint64, token string) []byte {
	dst = append(dst, stream...)
	dst = append(dst, ':')
	dst = appendDecimal(dst, position)
	dst = append(dst, ':')
	return append(dst, token...)
}

// appendDecimal is strconv.AppendUint, faster for what positions are. A number of up to eight digits is divided into
// halves until each byte of a word holds a digit, all halves at once, the first digit in the lowest byte.
func appendDecimal(dst []byte, n uint64) []byte {
	if n >= 1e8 {
		return strconv.AppendUint(dst, n, 10)
	}
	fours := n/10_000 | n%10_000<<32
	hundreds := fours * 10_486 >> 20 & 0x0000_007F_0000_007F // 10,486/2^20 is 1/100 for up to four digits
	twos := hundreds | (fours-hundreds*100)<<16
	tens := twos * 103 >> 10 & 0x000F_000F_000F_000F // 103/2^10 is 1/10 for up to two
	digits := tens | (twos-tens*10)<<8
	zeros := bits.TrailingZeros64(digits|1<<56) / 8 // in front; a 0 alone stays
	dst = binary.LittleEndian.AppendUint64(dst, (digits|'0'*ones)>>(8*zeros))
	return dst[:len(dst)-zeros]
}
