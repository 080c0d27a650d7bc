package kernels

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// appendLower appends s in lower case: Unicode's full mapping for no particular language, which is Python's str.lower.
// Neither unicode.ToLower nor strings.ToLower has it, for it may lengthen (İ) and look at the neighbours (Σ).
// golang.org/x/text/cases takes a Σ after a modifier letter otherwise and looks no further than 30 characters.
func appendLower(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRune(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[i])
		case r == 'İ':
			dst = append(dst, "i\u0307"...)
		case r == 'Σ' && endsWord(s[:i], s[i+size:]):
			dst = utf8.AppendRune(dst, 'ς')
		default:
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		i += size
	}
	return dst
}

// endsWord is Unicode's condition Final_Sigma: a cased letter stands before, none after, whatever is case-ignorable
// between them.
func endsWord(before, after []byte) bool {
	last, _ := utf8.DecodeLastRune(bytes.TrimRightFunc(before, isCaseIgnorable))
	first, _ := utf8.DecodeRune(bytes.TrimLeftFunc(after, isCaseIgnorable))
	return isCased(last) && !isCased(first)
}

// isCased is Unicode's property Cased.
func isCased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase)
}

// isCaseIgnorable is Unicode's property Case_Ignorable: some categories, and punctuation that occurs within words.
func isCaseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·\u0387\u055f\u05f4‘’․‧︓﹒﹕＇．：", r)
}

// isSpace is Python's str.isspace: Unicode's White_Space and four separators of ASCII.
func isSpace(r rune) bool { return unicode.IsSpace(r) || '\x1c' <= r && r <= '\x1f' }
