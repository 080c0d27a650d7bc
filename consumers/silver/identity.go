package silver

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"

	"assay/kernels"
)

// keyForm says how the components of a key are normalised.
type keyForm int

const (
	folded    keyForm = iota // NFC, trimmed, lower case
	exactCase                // NFC, trimmed
	verbatim                 // as they are
)

// keyColumns gathers the keys of a batch by shape, that is, by number of components and form, so that each shape is
// normalised, joined and hashed by column: a batch has two or three shapes whatever its kinds.
type keyColumns struct {
	shapes []*keyShape
	rows   int
}

type keyShape struct {
	form       keyForm
	components []*array.StringBuilder
	rows       []int // row of the batch that each key belongs to
}

func (k *keyColumns) append(mem memory.Allocator, components []string, form keyForm) {
	s := k.shape(mem, len(components), form)
	for i, c := range components {
		s.components[i].Append(c)
	}
	s.rows = append(s.rows, k.rows)
	k.rows++
}

func (k *keyColumns) shape(mem memory.Allocator, components int, form keyForm) *keyShape {
	for _, s := range k.shapes {
		if s.form == form && len(s.components) == components {
			return s
		}
	}
	s := &keyShape{form: form, components: make([]*array.StringBuilder, components)}
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
			return err
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
	columns := make([]*array.String, 0, len(s.components))
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	for _, b := range s.components {
		column := b.NewStringArray()
		if s.form != verbatim {
			normal, err := normalise(mem, column, s.form == exactCase)
			column.Release()
			if err != nil {
				return nil, err
			}
			column = normal
		}
		columns = append(columns, column)
	}
	names := columns[0]
	if !(s.form == verbatim && len(columns) == 1) { // an event's own id is its name
		joined, err := kernels.Join(mem, columns...)
		if err != nil {
			return nil, fmt.Errorf("silver: join keys: %w", err)
		}
		defer joined.Release()
		names = joined
	}
	uuids, err := kernels.UUIDv5(mem, ns, names)
	if err != nil {
		return nil, fmt.Errorf("silver: identify: %w", err)
	}
	return uuids, nil
}

func normalise(mem memory.Allocator, column arrow.Array, exact bool) (*array.String, error) {
	normal, err := kernels.Normalise(mem, column, exact)
	if err != nil {
		return nil, fmt.Errorf("silver: normalise keys: %w", err)
	}
	return normal, nil
}

func (k *keyColumns) release() {
	for _, s := range k.shapes {
		for _, b := range s.components {
			b.Release()
		}
	}
}
