package kernels

import (
	"bytes"

	"golang.org/x/text/unicode/norm"
)

// NormaliseString is the normal form of one component of a key: Unicode NFC, without surrounding white space, in lower
// case unless exact. In Python, with nfc = partial(unicodedata.normalize, "NFC"):
//
//	nfc(nfc(s).strip().lower())    or, if exact,    nfc(s).strip()
//
// The outer nfc is there because some letters compose in lower case only (H with a macron below): without it the
// normal form would not be one, and its own normal form another. White space is what Python's str.isspace says, so it
// includes U+001C to U+001F, and lower case is that of the whole word, so a final Σ becomes ς.
//
// Characters follow the Unicode version of the Go release. Bytes that are not UTF-8 stay as they are. More than 30
// combining marks in a row are broken up by U+034F, Unicode's stream-safe format, which Python does not do.
func NormaliseString(s string, exact bool) string {
	var buf [128]byte
	n := normaliser{exact: exact}
	return string(n.append(buf[:0], s))
}

// normaliser keeps the working memory of one call.
type normaliser struct {
	exact     bool
	component []byte
	composed  []byte
	lowered   []byte
}

func (n *normaliser) append(dst []byte, s string) []byte {
	if text, ok := appendASCII(dst, s, n.exact); ok {
		return text
	}
	return append(dst, n.unicode(s)...)
}

// unicode is the definition of the normal form. The result is valid until the next call.
func (n *normaliser) unicode(s string) []byte {
	n.composed = norm.NFC.AppendString(n.composed[:0], s)
	trimmed := bytes.TrimFunc(n.composed, isSpace)
	if n.exact {
		return trimmed
	}
	n.lowered = appendLower(n.lowered[:0], trimmed)
	n.composed = norm.NFC.Append(n.composed[:0], n.lowered...)
	return n.composed
}
