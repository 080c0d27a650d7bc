package kernels

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
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

// Normalise brings each row of a column to its normal form, as NormaliseString does. The column may be String,
// LargeString or a dictionary of these, of which each distinct value is normalised once. Null stays null.
//
// Errors: ErrType, ErrTooLarge.
func Normalise(mem memory.Allocator, column arrow.Array, exact bool) (*array.String, error) {
	switch column := column.(type) {
	case *array.String:
		return normaliseText(mem, column, exact)
	case *array.LargeString:
		return normaliseText(mem, column, exact)
	case *array.Dictionary:
		return normaliseDictionary(mem, column, exact)
	}
	return nil, fmt.Errorf("normalise: %w: %s", ErrType, column.DataType())
}

func normaliseText(mem memory.Allocator, column textArray, exact bool) (*array.String, error) {
	result, err := newTextColumn(mem, column.Len(), len(textBytes(column)))
	if err != nil {
		return nil, err
	}
	defer result.release()
	n := normaliser{exact: exact}
	for row := range column.Len() {
		if column.IsNull(row) {
			result.null()
			continue
		}
		if err := n.appendRow(result, column.Value(row)); err != nil {
			return nil, err
		}
	}
	return result.finish(), nil
}

func normaliseDictionary(mem memory.Allocator, column *array.Dictionary, exact bool) (*array.String, error) {
	values, err := Normalise(mem, column.Dictionary(), exact)
	if err != nil {
		return nil, err
	}
	defer values.Release()
	isNull := func(row int) bool { return column.IsNull(row) || values.IsNull(column.GetValueIndex(row)) }

	size := 0
	for row := range column.Len() {
		if !isNull(row) {
			size += values.ValueLen(column.GetValueIndex(row))
		}
	}
	result, err := newTextColumn(mem, column.Len(), size)
	if err != nil {
		return nil, err
	}
	defer result.release()
	for row := range column.Len() {
		if isNull(row) {
			result.null()
			continue
		}
		result.text = append(result.text, values.Value(column.GetValueIndex(row))...)
		result.endRow()
	}
	return result.finish(), nil
}

// normaliser keeps the working memory of one call.
type normaliser struct {
	exact     bool
	component []byte
	composed  []byte
	lowered   []byte
}

func (n *normaliser) appendRow(column *textColumn, s string) error {
	if err := column.grow(len(s)); err != nil {
		return err
	}
	text, ok := appendASCII(column.text, s, n.exact)
	if !ok {
		form := n.unicode(s)
		if err := column.grow(len(form)); err != nil {
			return err
		}
		text = append(column.text, form...)
	}
	column.text = text
	column.endRow()
	return nil
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
