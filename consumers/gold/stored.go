package gold

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
	"github.com/valyala/fastjson"

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
		return nil, fmt.Errorf("%w: entity %s has an ordinal and no state", errUnreadable, id)
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
	said                   string
	inEntities, inEpisodes uint64 // rows of it that the tables may have; 0 if they certainly have none
}

// loadWhole returns what is stored of an entity, nil if it is not known.
func loadWhole(from pebble.Reader, id uuid.UUID) (*whole, error) {
	ordinal, err := ordinalOf(from, id)
	if err != nil || ordinal == 0 {
		return nil, err
	}
	w := &whole{id: id}
	a := assembly{parser: &fastjson.Parser{}, parts: map[string]*part{}}
	err = scan(from, numberKey(keyEntity, ordinal), func(k, value []byte) (bool, error) {
		err := w.take(k[numberKeyLen], k[numberKeyLen+1:], value, &a)
		return err == nil, err
	})
	if err == nil {
		err = a.waiting.takeBefore(beyond, a.addAll)
	}
	if err == nil && w.entity == nil {
		err = fmt.Errorf("%w: entity %s has an ordinal and no state", errUnreadable, id)
	}
	if err != nil {
		return nil, err
	}
	w.ordinal, w.content.parts, w.content.cutOff = ordinal, a.order, a.cutOff
	return w, w.complete(from)
}

// complete adds to a tool call its arguments, which its message may have.
func (w *whole) complete(from pebble.Reader) error {
	request := &w.content.request
	if request.kind == bronze.KindToolCall && request.payload == "" && request.text != "" {
		asked, err := decodeAsking([]byte(request.text))
		if err != nil {
			return err
		}
		message, err := loadWhole(from, asked.message)
		if err != nil {
			return err
		}
		request.payload = asked.arguments(message)
	}
	w.content.nameCall(w.entity)
	return nil
}

// take takes the record of a slot, at is what follows the slot in its key.
func (w *whole) take(slot byte, at, record []byte, text *assembly) (err error) {
	d := decoder{rest: record}
	switch slot {
	case slotFragments:
		return text.addPassage(at, record)
	case slotRequest:
		w.content.request, err = d.body(), d.end()
	case slotResult:
		w.content.result, err = d.body(), d.end()
	case slotExchange:
		w.content.exchange, err = d.body(), d.end()
	case slotSaid:
		w.said = string(record)
	case slotState:
		if w.entity, err = decodeEntity(record); err == nil && w.rows > 0 {
			w.inEntities, w.inEpisodes = 1, w.rows-1
		}
	case slotInEntities:
		w.inEntities, err = d.uint(), d.end()
	case slotInEpisodes:
		w.inEpisodes, err = d.uint(), d.end()
	}
	return err
}

// addPassage takes a passage, which come in the order of their first pieces, and adds all that nothing later can come before.
func (a *assembly) addPassage(at, record []byte) error {
	passage, err := decodePassage(at, record)
	if err != nil {
		return err
	}
	if err := a.waiting.takeBefore(passage[0].at, a.addAll); err != nil {
		return err
	}
	heap.Push(&a.waiting, passage)
	return nil
}

// addAll adds the fragments of one event.
func (a *assembly) addAll(fragments []byte) error {
	list, err := a.parser.ParseBytes(fragments)
	if err != nil {
		return fmt.Errorf("%w: fragments: %w", errUnreadable, err)
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
	err := errors.Join(f.set(entityKey(e.ordinal, slotState), e.encode()), f.writePassage(e.ordinal, &e.passage))
	if e.request != nil {
		err = errors.Join(err, f.set(entityKey(e.ordinal, slotRequest), e.request.encode()))
	}
	if e.result != nil {
		err = errors.Join(err, f.set(entityKey(e.ordinal, slotResult), e.result.encode()))
	}
	if e.exchange != nil {
		err = errors.Join(err, f.set(entityKey(e.ordinal, slotExchange), e.exchange.encode()))
	}
	if e.asked != nil {
		err = errors.Join(err, f.set(askedKey(e.asked.message, id), nil))
	}
	if e.fresh {
		err = errors.Join(err, f.set(key(keyOrdinal, id), binary.AppendUvarint(nil, e.ordinal)))
	}
	return err
}
