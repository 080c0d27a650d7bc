package kernels

import (
	"crypto/sha1"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"
)

// Namespace is the default namespace of all identities: UUIDv5(DNS, "coreason.local").
var Namespace = uuid.MustParse("91e8f5f8-3e28-592a-ab23-5295dcf92dd7")

// UUID is the name-based UUID, version 5, of a name within a namespace (RFC 9562, section 5.5): SHA-1 over the
// namespace's 16 bytes and the name's, cut to 16 bytes, with version and variant set.
func UUID(namespace uuid.UUID, name string) (id uuid.UUID) {
	var buf [128]byte
	digest := sha1.Sum(append(append(buf[:0], namespace[:]...), name...))
	putUUID(id[:], &digest)
	return id
}

// UUIDv5 computes the UUID of each name: 16 bytes a row, in the order in which a UUID is written. Null stays null.
//
// No name is invalid, so the error is nil.
func UUIDv5(mem memory.Allocator, namespace uuid.UUID, names *array.String) (*array.FixedSizeBinary, error) {
	ids := newUUIDColumn(mem, names.Len())
	defer ids.release()
	message := namespace[:]
	for row := range names.Len() {
		if names.IsNull(row) {
			ids.null(row)
			continue
		}
		message = append(message[:uuidBytes], names.Value(row)...)
		ids.put(row, message)
	}
	return ids.finish(), nil
}

// Identify computes the ids of composite keys in one pass over their components: it is UUID of JoinStrings of the
// components, each brought to its normal form by NormaliseString. A row with a null
// component has no id: it is null.
//
// Errors: ErrLength.
func Identify(
	mem memory.Allocator, namespace uuid.UUID, exact bool, components ...*array.String,
) (*array.FixedSizeBinary, error) {
	rows, err := sameLength(components)
	if err != nil {
		return nil, fmt.Errorf("identify: %w", err)
	}
	ids := newUUIDColumn(mem, rows)
	defer ids.release()
	n := normaliser{exact: exact}
	escapes := countEscapes(components)
	message := namespace[:]
	for row := range rows {
		if anyNull(row, components) {
			ids.null(row)
			continue
		}
		message = n.appendName(message[:uuidBytes], row, components, escapes > 0)
		ids.put(row, message)
	}
	return ids.finish(), nil
}

// appendName appends the name of a row's key. Whether a component needs escapes can be told before it is normalised,
// which neither makes nor removes what is escaped.
func (n *normaliser) appendName(dst []byte, row int, components []*array.String, escape bool) []byte {
	for i, column := range components {
		if i > 0 {
			dst = append(dst, '|')
		}
		if escape {
			n.component = n.append(n.component[:0], column.Value(row))
			dst = AppendEscaped(dst, n.component)
		} else {
			dst = n.append(dst, column.Value(row))
		}
	}
	return dst
}
