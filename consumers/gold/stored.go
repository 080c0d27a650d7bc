package gold

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/bronze"
)

// loadEntity returns the state of an entity, nil if it is not known.
func loadEntity(from getter, id uuid.UUID) (*entity, error) {
	ordinal, err := ordinalOf(from, id)
	if err != nil || ordinal == 0 {
		return nil, err
	}
	e, err := load(from, entityKey(ordinal, slotState), decodeEntity)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return nil, fmt.Errorf("%w: entity %s has an ordinal and no state", ErrState, id)
	}
	e.ordinal = ordinal
	return e, nil
}

// ordinalOf returns the ordinal of an entity, 0 if it is not known.
func ordinalOf(from getter, id uuid.UUID) (ordinal uint64, err error) {
	_, err = get(from, key(keyOrdinal, id), func(value []byte) error {
		d := decoder{rest: value}
		ordinal = d.uint()
		return d.end()
	})
	return ordinal, err
}

// whole is all that is stored of an entity.
type whole struct {
	*entity
	id                     uuid.UUID
	content                content
	inEntities, inEpisodes uint64 // rows of it that the tables may have; 0 if they certainly have none
}

// loadWhole returns what is stored of an entity, nil if it is not known.
func loadWhole(from pebble.Reader, id uuid.UUID) (*whole, error) {
	ordinal, err := ordinalOf(from, id)
	if err != nil || ordinal == 0 {
		return nil, err
	}
	w := &whole{id: id}
	a := assembly{parts: map[string]*part{}}
	err = scan(from, numberKey(keyEntity, ordinal), func(k, value []byte) (bool, error) {
		err := w.take(k[numberKeyLen], value, &a)
		return err == nil, err
	})
	if err == nil && w.entity == nil {
		err = fmt.Errorf("%w: entity %s has an ordinal and no state", ErrState, id)
	}
	if err != nil {
		return nil, err
	}
	w.ordinal, w.content.parts = ordinal, a.order
	return w, nil
}

// take takes the record of a slot.
func (w *whole) take(slot byte, record []byte, fragments *assembly) (err error) {
	d := decoder{rest: record}
	switch slot {
	case slotFragments:
		return fragments.addAll(record)
	case slotRequest:
		w.content.request, err = d.body(), d.end()
	case slotResult:
		w.content.result, err = d.body(), d.end()
	case slotState:
		w.entity, err = decodeEntity(record)
	case slotInEntities:
		w.inEntities, err = d.uint(), d.end()
	case slotInEpisodes:
		w.inEpisodes, err = d.uint(), d.end()
	}
	return err
}

// addAll adds the fragments of one event.
func (a *assembly) addAll(record []byte) error {
	list, err := a.parser.ParseBytes(record)
	if err != nil {
		return fmt.Errorf("%w: fragments: %w", ErrState, err)
	}
	for _, f := range list.GetArray() {
		text := func(field string) string { return string(f.GetStringBytes(field)) }
		a.add(&bronze.Fragment{
			Part: text("part"), Type: bronze.FragmentType(text("type")), ID: text("id"), Name: text("name"), Text: text("text"),
			Whole: f.GetBool("whole"),
		})
	}
	return nil
}

// writeEntity stores the state of an entity of the group.
func (f *folding) writeEntity(id uuid.UUID, e *folded) error {
	err := f.set(entityKey(e.ordinal, slotState), e.encode())
	if e.fresh {
		err = errors.Join(err, f.set(key(keyOrdinal, id), binary.AppendUvarint(nil, e.ordinal)))
	}
	return err
}
