package formats

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/valyala/fastjson"
)

// ValidJSON tells whether text is a JSON value as the standard has it, which encoding/json agrees with. It is for what is handed
// on to other readers. It does not bound the depth. fastjson overlooks a control character that is not escaped in keys and before an
// escape; few texts have any.
func ValidJSON(text []byte) bool {
	return fastjson.ValidateBytes(text) == nil && (!hasControl(text) || ValidParsed(text))
}

// Special returns where the first byte of text stands that a JSON string cannot hold as it is: a quote, a backslash or a control
// character. It is len(text) if there is none.
func Special(text []byte) int {
	// Eight at a time: taking the least byte that is well from each borrows from the top bit of those that are not. What these borrow
	// from the bytes behind them makes no difference, because the first one counts.
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(text); i += 8 {
		eight := binary.LittleEndian.Uint64(text[i:])
		borrowed := (eight - ones*' ') | (eight ^ ones*'"' - ones) | (eight ^ ones*'\\' - ones)
		if found := borrowed &^ eight & tops; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// hasControl tells whether text has a control character.
func hasControl(text []byte) bool {
	for {
		i := Special(text)
		if i == len(text) {
			return false
		}
		if text[i] < ' ' {
			return true
		}
		text = text[i+1:]
	}
}

// ValidParsed tells whether a text that fastjson's parser has taken is valid JSON: it looks at what the parser does not, which costs less
// than validating it all again. That is what strings hold, and how numbers are written.
func ValidParsed(text []byte) bool {
	for {
		begin := bytes.IndexByte(text, '"')
		if begin < 0 {
			return validScalars(text)
		}
		if !validScalars(text[:begin]) {
			return false
		}
		end := stringEnd(text[begin+1:])
		if end < 0 {
			return false
		}
		text = text[begin+1+end+1:]
	}
}

// stringEnd returns where a string ends that begins before text, -1 if it does not, or is no string.
func stringEnd(text []byte) int {
	for i := 0; ; {
		i += Special(text[i:])
		if i == len(text) || text[i] < ' ' {
			return -1
		}
		if text[i] == '"' {
			return i
		}
		size := escape(text[i:])
		if size == 0 {
			return -1
		}
		i += size
	}
}

// validScalars looks at the numbers between two strings.
func validScalars(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if isStructure(text[i]) {
			continue
		}
		end := i + 1
		for end < len(text) && !isStructure(text[end]) {
			end++
		}
		switch token := text[i:end]; string(token) {
		case "true", "false", "null":
		default:
			if !validNumber(token) {
				return false
			}
		}
		i = end
	}
	return true
}

func isStructure(c byte) bool {
	switch c {
	case '{', '}', '[', ']', ':', ',', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

// escape returns how long the escape is that text begins with, 0 if it is none.
func escape(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(text) >= 6 && isHex(text[2]) && isHex(text[3]) && isHex(text[4]) && isHex(text[5]) {
			return 6
		}
	}
	return 0
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// validNumber tells whether a number is written as JSON has it.
func validNumber(s []byte) bool {
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	s = bytes.TrimPrefix(s, []byte("-"))
	if len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9' || !digits() {
		return false
	}
	if len(s) > 0 && s[0] == '.' {
		if s = s[1:]; !digits() {
			return false
		}
	}
	if len(s) > 0 && s[0]|0x20 == 'e' {
		if s = s[1:]; len(s) > 0 && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return len(s) == 0
}
