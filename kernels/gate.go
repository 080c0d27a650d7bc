package kernels

import (
	"crypto/sha1"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
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
