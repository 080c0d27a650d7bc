package audit

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/google/uuid"

	"assay/consumers/silver"
)

// key tells a row apart: by its id, and in traces also by the frame and the position that it names.
type key struct {
	ID       uuid.UUID `json:"id"`
	Seq      uint64    `json:"seq"`
	Position uint64    `json:"position"`
}

// keyReader reads the keys of a record's rows.
type keyReader struct {
	id            func(row int) (uuid.UUID, string)
	seq, position *array.Int64 // nil unless rows are told apart by them
	entity        *array.String
}

func newKeys(l *layout, r arrow.Record) (*keyReader, error) {
	k := &keyReader{}
	switch c := columnOf(r, l.table.Key).(type) {
	case *array.String:
		k.id = func(row int) (uuid.UUID, string) {
			text := c.Value(row)
			id, err := uuid.Parse(text)
			if err != nil || id.String() != text {
				return uuid.Max, text // no id that is computed
			}
			return id, text
		}
	case *array.FixedSizeBinary:
		k.id = func(row int) (uuid.UUID, string) { return uuid.UUID(c.Value(row)), "" }
	default:
		return nil, fmt.Errorf("%w: %s of %s is a %T", ErrColumn, l.table.Key, l.table.Name, c)
	}
	k.entity, _ = columnOf(r, silver.ColEntityUUID).(*array.String)
	if !l.byFrame {
		return k, nil
	}
	var isSeq, isPosition bool
	k.seq, isSeq = columnOf(r, silver.ColBronzeSeq).(*array.Int64)
	k.position, isPosition = columnOf(r, silver.ColPosition).(*array.Int64)
	if !isSeq || !isPosition {
		return nil, fmt.Errorf("%w: %s or %s of %s", ErrColumn, silver.ColBronzeSeq, silver.ColPosition, l.table.Name)
	}
	return k, nil
}

// at returns the key of a row, and its id as the table has it, if it has it as a text.
func (k *keyReader) at(row int) (found key, text string) {
	found.ID, text = k.id(row)
	if k.seq != nil {
		found.Seq, found.Position = uint64(k.seq.Value(row)), uint64(k.position.Value(row))
	}
	return found, text
}

// entityAt returns the entity that a stored row is about, "" if it is about none.
func (k *keyReader) entityAt(row int) string {
	if k.entity == nil {
		return ""
	}
	return k.entity.Value(row)
}

func columnOf(r arrow.Record, name string) arrow.Array {
	found := r.Schema().FieldIndices(name)
	if len(found) == 0 {
		return nil
	}
	return r.Column(found[0])
}
