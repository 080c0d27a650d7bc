package silver

import "assay/consumers/bronze"

// appendFragments appends the JSON array of fragments, as their tags in bronze say. Most events of a model's stream have
// one, so it is written by hand.
func appendFragments(dst []byte, fragments []bronze.Fragment) []byte {
	dst = append(dst, '[')
	for i := range fragments {
		f := &fragments[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(append(dst, `{"part":`...), f.Part)
		dst = appendQuoted(append(dst, `,"type":`...), string(f.Type))
		dst = appendMember(dst, `,"id":`, f.ID)
		dst = appendMember(dst, `,"name":`, f.Name)
		dst = appendMember(dst, `,"text":`, f.Text)
		if f.Whole {
			dst = append(dst, `,"whole":true`...)
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendQuoted(append(dst, name...), value)
}

// appendQuoted appends s, valid UTF-8, as a JSON string.
func appendQuoted(dst []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	plain := 0 // start of what needs no escape
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[plain:i]...)
		plain = i + 1
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
