package streams

import (
	"fmt"
	"strings"
)

const hexDigits = "0123456789ABCDEF"

// EscapeToken makes one legal subject token of any string, reversibly: bytes other than ASCII letters, digits, '-', '_'
// and bytes of multi-byte UTF-8 runes become %XX, as in a URL. The empty string becomes "%".
func EscapeToken(s string) string {
	if s == "" {
		return "%"
	}
	return escape(s, func(c byte) bool {
		return c == '-' || c == '_' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	})
}

// UnescapeToken is the inverse of EscapeToken. A bare '%' inside a longer token, as a foreign publisher may send it, is
// an error.
func UnescapeToken(token string) (string, error) {
	if token == "%" {
		return "", nil
	}
	return unescape(token)
}

// EscapeHeader keeps a header value on one line and free of surrounding white space, reversibly.
func EscapeHeader(s string) string {
	return escape(s, func(c byte) bool { return c > ' ' && c != '%' && c != 0x7f })
}

// UnEscapeHeader is the inverse of EscapeHeader; a value that a foreign publisher did not escape is taken as it is.
func UnEscapeHeader(v string) string {
	if s, err := unescape(v); err == nil {
		return s
	}
	return v
}

func escape(s string, plain func(byte) bool) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

func unescape(s string) (string, error) {
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
