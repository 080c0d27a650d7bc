package streams

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// emptyEscape stands for the empty string, which neither a subject token nor a header can hold.
const emptyEscape = "%"

// EscapeToken makes one legal subject token of any string, reversibly: what is not an ASCII letter or digit, '-', '_' or
// a well-formed multi-byte rune becomes %XX per byte, as in a URL. The empty string becomes "%".
func EscapeToken(s string) string {
	return escape(s, func(c byte) bool {
		return c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	})
}

// UnescapeToken is the inverse of EscapeToken. A bare '%' inside a longer token, as a foreign publisher may send it, is
// an error.
func UnescapeToken(token string) (string, error) { return unescape(token) }

// EscapeHeader keeps a header value on one line and free of white space, reversibly.
func EscapeHeader(s string) string {
	return escape(s, func(c byte) bool { return c > ' ' && c != '%' && c < 0x7f })
}

// UnescapeHeader is the inverse of EscapeHeader; a value that a foreign publisher did not escape is taken as it is.
func UnescapeHeader(v string) string {
	if s, err := unescape(v); err == nil {
		return s
	}
	return v
}

// escape keeps ASCII bytes that are plain and well-formed runes beyond ASCII. Bytes that are no UTF-8 are escaped too,
// because subjects pass through JSON, which would replace them.
func escape(s string, plain func(byte) bool) string {
	if s == "" {
		return emptyEscape
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		if r, size := utf8.DecodeRuneInString(s[i:]); size > 1 && r != utf8.RuneError {
			b.WriteString(s[i : i+size])
			i += size
			continue
		}
		if plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
		i++
	}
	return b.String()
}

func unescape(s string) (string, error) {
	if s == emptyEscape {
		return "", nil
	}
	if !strings.Contains(s, "%") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("escape sequence cut short in %q", s)
		}
		hi, lo := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
		if hi < 0 || lo < 0 {
			return "", fmt.Errorf("escape sequence %q is not %%XX", s[i:i+3])
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), nil
}
