package kernels

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
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

// Join makes one name a row of the components of composite keys, as JoinStrings does. A row with a null component has
// no name: it is null.
//
// Errors: ErrLength, also where there is no component; ErrTooLarge.
func Join(mem memory.Allocator, components ...*array.String) (*array.String, error) {
	rows, err := sameLength(components)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	escapes := countEscapes(components)
	size := rows*(len(components)-1) + escapes
	for _, column := range components {
		size += len(textBytes(column))
	}
	names, err := newTextColumn(mem, rows, size)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	defer names.release()
	for row := range rows {
		if anyNull(row, components) {
			names.null()
			continue
		}
		for i, column := range components {
			if i > 0 {
				names.text = append(names.text, '|')
			}
			if escapes == 0 {
				names.text = append(names.text, column.Value(row)...)
			} else {
				names.text = AppendEscaped(names.text, column.Value(row))
			}
		}
		names.endRow()
	}
	return names.finish(), nil
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
