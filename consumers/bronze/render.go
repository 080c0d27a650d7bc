package bronze

import (
	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
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
	s = validBytes(s)
	dst = append(dst, '"')
	for {
		plain := formats.Special(s)
		dst = append(dst, s[:plain]...)
		if plain == len(s) {
			return append(dst, '"')
		}
		switch c := s[plain]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		s = s[plain+1:]
	}
}
