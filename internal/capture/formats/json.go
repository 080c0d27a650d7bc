package formats

import (
	"bytes"
	"encoding/binary"

	"github.com/valyala/fastjson"
)

// ValidJSON tells whether text is a JSON value as the standard has it, which encoding/json agrees with. It is for what is handed
// on to other readers. It does not bound the depth. fastjson overlooks a control character that is not escaped in keys and before an
// escape; few texts have any.
func ValidJSON(text []byte) bool {
	return fastjson.ValidateBytes(text) == nil && (!hasControl(text) || ValidParsed(text))
}

// hasControl tells whether text has a byte below the space, eight at a time: what is below is negative once the space is taken from it,
// and was not before.
func hasControl(text []byte) bool {
	const spaces, tops = 0x2020202020202020, 0x8080808080808080
	for ; len(text) >= 8; text = text[8:] {
		if eight := binary.LittleEndian.Uint64(text); (eight-spaces)&^eight&tops != 0 {
			return true
		}
	}
	for _, c := range text {
		if c < ' ' {
			return true
		}
	}
	return false
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
		text = text[begin+1:]
		end := stringEnd(text)
		if end < 0 || hasControl(text[:end]) || !validEscapes(text[:end]) {
			return false
		}
		text = text[end+1:]
	}
}

// stringEnd returns where a string ends that begins before text, -1 if it does not.
func stringEnd(text []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(text[from:], '"')
		if i < 0 {
			return -1
		}
		end, escapes := from+i, 0
		for end-escapes > 0 && text[end-escapes-1] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return end
		}
		from = end + 1
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

// validEscapes looks at what follows each backslash of a string.
func validEscapes(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return true
		}
		if i+1 == len(text) {
			return false
		}
		escaped := text[i+1]
		text = text[i+2:]
		switch escaped {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			if len(text) < 4 || !isHex(text[0]) || !isHex(text[1]) || !isHex(text[2]) || !isHex(text[3]) {
				return false
			}
			text = text[4:]
		default:
			return false
		}
	}
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
