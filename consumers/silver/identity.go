package silver

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"

	"assay/kernels"
)

// keyColumns gathers the keys of a batch by shape, that is, by number of components and case, so that each shape is
// normalised, joined and hashed by column: a batch has two or three shapes whatever its kinds.
type keyColumns struct {
	shapes []*keyShape
	rows   int
}

type keyShape struct {
	exact      bool // keeps the case
	components []*array.StringBuilder
	rows       []int // row of the batch that each key belongs to
}

func (k *keyColumns) append(mem memory.Allocator, components []string, exact bool) {
	s := k.shape(mem, len(components), exact)
	for i, c := range components {
		s.components[i].Append(c)
	}
	s.rows = append(s.rows, k.rows)
	k.rows++
}

func (k *keyColumns) shape(mem memory.Allocator, components int, exact bool) *keyShape {
	for _, s := range k.shapes {
		if s.exact == exact && len(s.components) == components {
			return s
		}
	}
	s := &keyShape{exact: exact, components: make([]*array.StringBuilder, components)}
	for i := range s.components {
		s.components[i] = array.NewStringBuilder(mem)
	}
	k.shapes = append(k.shapes, s)
	return s
}

// identify appends the UUIDv5 of every gathered key to ids, in the order of rows, and empties the columns.
func (k *keyColumns) identify(mem memory.Allocator, ns uuid.UUID, ids *array.FixedSizeBinaryBuilder) error {
	all := make([]byte, 16*k.rows)
	for _, s := range k.shapes {
		if len(s.rows) == 0 {
			continue
		}
		uuids, err := s.identify(mem, ns)
		if err != nil {
			return fmt.Errorf("silver: identify: %w", err)
		}
		for i, row := range s.rows {
			copy(all[16*row:], uuids.Value(i))
		}
		uuids.Release()
		s.rows = s.rows[:0]
	}
	ids.Reserve(k.rows)
	for row := range k.rows {
		ids.Append(all[16*row : 16*row+16])
	}
	k.rows = 0
	return nil
}

func (s *keyShape) identify(mem memory.Allocator, ns uuid.UUID) (*array.FixedSizeBinary, error) {
	columns := make([]*array.String, len(s.components))
	for i, b := range s.components {
		columns[i] = b.NewStringArray()
		defer columns[i].Release()
	}
	return kernels.Identify(mem, ns, s.exact, columns...)
}

func (k *keyColumns) release() {
	for _, s := range k.shapes {
		for _, b := range s.components {
			b.Release()
		}
	}
}
