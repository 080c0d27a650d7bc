package state

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
	"github.com/valyala/fastjson"

	"assay/consumers/gold/model"
	"assay/kernels"
)

// LoadEntityState returns the state of an entity, nil if it is not known.
func LoadEntityState(from Getter, id uuid.UUID) (*model.EntityState, error) {
	ordinal, err := ordinalOf(from, id)
	if err != nil || ordinal == 0 {
		return nil, err
	}
	e, err := Load(from, model.EntityKey(ordinal, model.SlotState), model.DecodeEntity)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return nil, fmt.Errorf("%w: entity %s has an ordinal and no state", model.ErrUnreadable, id)
	}
	e.Ordinal = ordinal
	return e, nil
}

// ordinalOf returns the ordinal of an entity, 0 if it is not known.
func ordinalOf(from Getter, id uuid.UUID) (ordinal uint64, err error) {
	_, err = Get(from, model.Key(model.KeyOrdinal, id), func(value []byte) error {
		d := model.Decoder{Rest: value}
		ordinal = d.Uint()
		return d.End()
	})
	return ordinal, err
}

// LoadRecord returns what is stored of an entity, nil if it is not known.
func LoadRecord(from pebble.Reader, id uuid.UUID) (*model.EntityRecord, error) {
	ordinal, err := ordinalOf(from, id)
	if err != nil || ordinal == 0 {
		return nil, err
	}
	w := &model.EntityRecord{ID: id}
	a := model.NewAssembly(&fastjson.Parser{})
	err = Scan(from, model.NumberKey(model.KeyEntity, ordinal), func(k, value []byte) (bool, error) {
		err := w.Take(k[model.NumberKeyLen], k[model.NumberKeyLen+1:], value, a)
		return err == nil, err
	})
	if err == nil {
		err = w.End(ordinal, a)
	}
	if err != nil {
		return nil, err
	}
	return w, addArguments(from, w)
}

// addArguments adds to a tool call its arguments, which its message may have.
func addArguments(from pebble.Reader, w *model.EntityRecord) error {
	asked, err := w.Content.ArgumentsElsewhere()
	if err != nil {
		return err
	}
	if asked != nil {
		message, err := LoadRecord(from, asked.Message)
		if err != nil {
			return err
		}
		w.Content.Request.Payload = asked.Arguments(message)
	}
	w.Content.NameCall(w.EntityState)
	return nil
}

// LoadEntity returns an entity as it is shown, nil if it is not known.
func LoadEntity(from pebble.Reader, id uuid.UUID) (*model.Entity, error) {
	w, err := LoadRecord(from, id)
	if err != nil || w == nil {
		return nil, err
	}
	return EntityOf(from, w)
}

// EntityOf is the entity as it is shown.
func EntityOf(from pebble.Reader, w *model.EntityRecord) (v *model.Entity, err error) {
	v = model.NewEntity(w.ID, w.EntityState, &w.Content)
	v.QuarantinedBy, err = QuarantinedBy(from, w.ID)
	return v, err
}

// LoadElement is a node or an edge of the graph as it is shown, given its record.
func LoadElement(from pebble.Reader, id uuid.UUID, record []byte) (*model.Element, error) {
	times, err := NewElementTimes(from)
	if err != nil {
		return nil, err
	}
	e, err := times.Element(id, record)
	return e, errors.Join(err, times.Close())
}

// ElementTimes finds out when elements were first and last used.
type ElementTimes struct{ it *pebble.Iterator }

// NewElementTimes reads a state. The caller closes it.
func NewElementTimes(from pebble.Reader) (ElementTimes, error) {
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: []byte{model.KeyTime}, UpperBound: []byte{model.KeyTime + 1}})
	return ElementTimes{it}, Wrap("scan", err)
}

// Close frees what reading took.
func (s ElementTimes) Close() error { return Wrap("scan", s.it.Close()) }

// Element is a node or an edge of the graph as it is shown, given its record.
func (s ElementTimes) Element(id uuid.UUID, record []byte) (*model.Element, error) {
	t, err := model.DecodeElementCount(record)
	if err != nil {
		return nil, err
	}
	first, last := s.span(id)
	return &model.Element{
		ID: id, Source: t.Source.Name, SourceType: t.Source.Kind, Target: t.Target.Name, TargetType: t.Target.Kind,
		Relation: t.Relation, Count: t.Count, Errors: t.Errors, FirstAt: model.TimeOf(first), LastAt: model.TimeOf(last),
	}, Wrap("scan", s.it.Error())
}

// span returns the first and the last time of an element.
func (s ElementTimes) span(id uuid.UUID) (first, last int64) {
	prefix := model.Key(model.KeyTime, id)
	if !s.it.SeekGE(prefix) || !bytes.HasPrefix(s.it.Key(), prefix) {
		return model.Never, model.Never
	}
	first = model.ParseTimeKey(s.it.Key()).At
	if !s.it.SeekLT(model.PrefixEnd(prefix)) {
		return first, model.Never // an error, which the iterator keeps
	}
	return first, model.ParseTimeKey(s.it.Key()).At
}

// Unreadable gathers the entities that a flush cannot read.
type Unreadable map[uuid.UUID]error

// Note tells whether an error is about what is stored of the entity; if so it sets that aside.
func (a Unreadable) Note(id uuid.UUID, err error) bool {
	if !errors.Is(err, model.ErrUnreadable) {
		return false
	}
	a[id] = err
	return true
}

// Write remembers and reports what was gathered.
func (a Unreadable) Write(writes *pebble.Batch, logger *slog.Logger) error {
	for id, reason := range a {
		logger.Error("gold: an entity cannot be read", "entity", id, "error", reason, "remedy", "`assay rebuild` makes it anew")
		if err := writes.Set(model.Key(model.KeyAside, id), []byte(reason.Error()), nil); err != nil {
			return Wrap("write", err)
		}
	}
	return nil
}

// maxAside bounds what Unreadable counts.
const maxAside = 1000

// CountUnreadable counts the entities that were set aside, up to maxAside.
func CountUnreadable(from pebble.Reader) (n int, err error) {
	err = Scan(from, []byte{model.KeyAside}, func(_, _ []byte) (bool, error) {
		n++
		return n < maxAside, nil
	})
	return n, err
}

// OwnerOf returns the entity of an event with an id of its own, uuid.Nil if it is not known.
func OwnerOf(from Getter, event uuid.UUID) (uuid.UUID, error) {
	known, err := Load(from, model.Key(model.KeyOwnID, event), model.DecodeIdentity)
	if err != nil || known == nil {
		return uuid.Nil, err
	}
	return known.Entity, nil
}

// AnyQuarantined tells whether anything at all is quarantined.
func AnyQuarantined(from pebble.Reader) (some bool, err error) {
	err = Scan(from, []byte{model.KeyQuarantine}, func(_, _ []byte) (bool, error) {
		some = true
		return false, nil
	})
	return some, err
}

// QuarantinedWithEntity is quarantinedBy, also of an event with an id of its own.
func QuarantinedWithEntity(snapshot pebble.Reader, id uuid.UUID) (uuid.UUID, error) {
	by, err := QuarantinedBy(snapshot, id)
	if by != uuid.Nil || err != nil {
		return by, err
	}
	owner, err := OwnerOf(snapshot, id)
	if owner == uuid.Nil || err != nil {
		return uuid.Nil, err
	}
	return QuarantinedBy(snapshot, owner)
}

// QuarantinedBy returns the event that took a node of the graph of descent back, uuid.Nil if none did.
func QuarantinedBy(from pebble.Reader, node uuid.UUID) (uuid.UUID, error) {
	by, err := Load(from, model.Key(model.KeyQuarantine, node), model.DecodeStamp)
	if by == nil || err != nil {
		return uuid.Nil, err
	}
	return by.ID, nil
}

// Spellings returns the names of workflows in traces that are one.
func Spellings(from pebble.Reader, workflow string) (names []string, err error) {
	name := kernels.NormaliseString(workflow, false)
	err = Scan(from, []byte{model.KeyTraces}, func(k, _ []byte) (bool, error) {
		if spelling := string(k[1:]); kernels.NormaliseString(spelling, false) == name {
			names = append(names, spelling)
		}
		return true, nil
	})
	return names, err
}
