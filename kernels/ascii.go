package kernels

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// Most keys are ASCII, and hashing one takes some 40 ns: what precedes it must not take as long. So ASCII is looked at
// in words of eight bytes.
const (
	wordBytes = 8
	ones      = 0x0101010101010101 // times a byte: that byte eight times
	highBits  = 0x80 * ones        // what no ASCII has
)

// appendASCII is the fast path of normalisation: it appends the normal form of s if s is ASCII, else it reports false.
func appendASCII(dst []byte, s string, exact bool) ([]byte, bool) {
	s = trimASCII(s)
	start := len(dst)
	dst = slices.Grow(dst, len(s))[:start+len(s)]
	if exact {
		copy(dst[start:], s)
		return dst, isASCII(s)
	}
	return dst, lowerASCII(dst[start:], s)
}

func trimASCII(s string) string {
	for len(s) > 0 && s[0] <= ' ' && isSpace(rune(s[0])) { // no white space of ASCII lies beyond ' '

		s = s[1:]
	}
	for len(s) > 0 && s[len(s)-1] <= ' ' && isSpace(rune(s[len(s)-1])) {
		s = s[:len(s)-1]
	}
	return s
}

func isASCII(s string) bool {
	text := []byte(s) // the compiler does not copy
	for ; len(text) >= wordBytes; text = text[wordBytes:] {
		if binary.LittleEndian.Uint64(text)&highBits != 0 {
			return false
		}
	}
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lowerASCII writes s in lower case to dst, of the same length, and reports true; or false, if s is not ASCII.
func lowerASCII(dst []byte, s string) bool {
	text := []byte(s) // the compiler does not copy
	if len(text) < wordBytes {
		return lowerShort(dst, text)
	}
	var seen uint64
	last := len(text) - wordBytes // the last word overlaps the one before
	for i := 0; i < last; i += wordBytes {
		seen |= lowerWord(dst[i:], text[i:])
	}
	seen |= lowerWord(dst[last:], text[last:])
	return seen&highBits == 0
}

// lowerWord writes the first word of text in lower case to dst and returns it as it was.
func lowerWord(dst, text []byte) uint64 {
	word := binary.LittleEndian.Uint64(text)
	letters := word &^ highBits
	fromA := letters + (0x80-'A')*ones // has the high bit of each byte from 'A' on
	aboveZ := letters + (0x7F-'Z')*ones
	upper := fromA &^ aboveZ & highBits
	binary.LittleEndian.PutUint64(dst, word|upper>>2) // 0x80>>2 is 'a'-'A'
	return word
}

func lowerShort(dst, text []byte) bool {
	var seen byte
	for i, c := range text {
		seen |= c
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst[i] = c
	}
	return seen < utf8.RuneSelf
}
