package kernels

import (
	"bytes"

	"github.com/apache/arrow/go/v17/arrow/array"
)

// JoinStrings makes one name of a key's components: joined by '|', with each '|' and '\' inside a component escaped by
// '\'. Different keys (of at least one component) have different names.
func JoinStrings(components ...string) string {
	var buf [128]byte
	name := buf[:0]
	for i, component := range components {
		if i > 0 {
			name = append(name, '|')
		}
		name = AppendEscaped(name, component)
	}
	return string(name)
}

// countEscapes counts what must be escaped in all components together, in most batches nothing, which spares looking
// at each.
func countEscapes(components []*array.String) (n int) {
	for _, column := range components {
		text := textBytes(column)
		n += bytes.Count(text, []byte{'|'}) + bytes.Count(text, []byte{'\\'})
	}
	return n
}

// AppendEscaped appends one component of a name, escaped as JoinStrings does.
func AppendEscaped[T string | []byte](dst []byte, component T) []byte {
	for i := range len(component) {
		if component[i] == '|' || component[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, component[i])
	}
	return dst
}
