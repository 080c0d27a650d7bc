package model

import (
	"container/heap"
	"fmt"

	"github.com/google/uuid"

	"assay/consumers/bronze"
)

// EntityRecord is all that is stored of an entity.
type EntityRecord struct {
	*EntityState
	ID                      uuid.UUID
	Content                 Content
	Said                    string
	EntityRows, EpisodeRows uint64 // rows of it that the tables may have; 0 if they certainly have none
}

// End completes what the records have said, all of which were taken.
func (w *EntityRecord) End(ordinal uint64, text *assembly) error {
	if err := text.waiting.takeBefore(BeyondAll, text.AddAll); err != nil {
		return err
	}
	if w.EntityState == nil {
		return fmt.Errorf("%w: entity %s has an ordinal and no state", ErrUnreadable, w.ID)
	}
	w.Ordinal = ordinal
	w.Content.Take(text)
	return nil
}

// Take takes the record of a slot, at is what follows the slot in its key.
func (w *EntityRecord) Take(slot byte, at, record []byte, text *assembly) (err error) {
	d := Decoder{Rest: record}
	switch slot {
	case SlotFragments:
		return text.addRun(at, record)
	case SlotRequest:
		w.Content.Request, err = decodeBody(record)
	case SlotResult:
		w.Content.Result, err = decodeBody(record)
	case SlotExchange:
		w.Content.Exchange, err = decodeBody(record)
	case SlotSaid:
		w.Said = string(record)
	case SlotState:
		if w.EntityState, err = DecodeEntity(record); err == nil && w.RowsAtFirst > 0 {
			w.EntityRows, w.EpisodeRows = 1, w.RowsAtFirst-1
		}
	case SlotEntityRows:
		w.EntityRows, err = d.Uint(), d.End()
	case SlotEpisodeRows:
		w.EpisodeRows, err = d.Uint(), d.End()
	}
	return err
}

// addRun takes a run, which come in the order of their first events, and adds all that nothing later can come before.
func (a *assembly) addRun(at, record []byte) error {
	passage, err := DecodeFragmentRun(at, record)
	if err != nil {
		return err
	}
	if err := a.waiting.takeBefore(passage[0].At, a.AddAll); err != nil {
		return err
	}
	heap.Push(&a.waiting, passage)
	return nil
}

// AddAll adds the fragments of one event.
func (a *assembly) AddAll(fragments []byte) error {
	list, err := a.parser.ParseBytes(fragments)
	if err != nil {
		return fmt.Errorf("%w: fragments: %w", ErrUnreadable, err)
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
