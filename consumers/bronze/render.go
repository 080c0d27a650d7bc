package bronze

import (
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

// render returns v as JSON without white space, "" for nil. Unlike compact it may be called after strings of v were read:
// the parser would write those as Go does, not as JSON has it.
func render(v *fastjson.Value) string {
	if v == nil {
		return ""
	}
	return string(appendJSON(nil, v))
}

func appendJSON(dst []byte, v *fastjson.Value) []byte {
	switch v.Type() {
	case fastjson.TypeString:
		return appendQuoted(dst, v.GetStringBytes())
	case fastjson.TypeObject:
		dst = append(dst, '{')
		first := len(dst)
		v.GetObject().Visit(func(key []byte, member *fastjson.Value) {
			if len(dst) > first {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, key), ':')
			dst = appendJSON(dst, member)
		})
		return append(dst, '}')
	case fastjson.TypeArray:
		dst = append(dst, '[')
		for i, element := range v.GetArray() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, element)
		}
		return append(dst, ']')
	default:
		return v.MarshalTo(dst)
	}
}

// appendQuoted appends s as a JSON string; bytes that are not UTF-8 are replaced.
func appendQuoted(dst, s []byte) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	plain := 0 // start of what needs no escape
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[plain:i]...), "\uFFFD"...)
				plain = i + 1
			}
			i += size
			continue
		}
		i++
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[plain:i-1]...)
		plain = i
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(dst, s[plain:]...), '"')
}
