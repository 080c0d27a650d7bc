package fold

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/google/uuid"
	"github.com/valyala/fastjson"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// touched is an entity that the group touches.
type touched struct {
	*model.EntityState
	before  model.Call
	was     model.HistoryShare
	linked  [][]byte // keys of links that are stored
	fresh   bool     // not stored yet
	changed bool

	// Of this group, not stored yet; they alias its records.
	run             model.FragmentRun
	request, result *model.Body
	exchange        *model.Body
	argumentsRef    *model.ArgumentsRef
	fragments       []model.EventFragments // of a fresh one: all its text
	moved           bool                   // some of it is no longer where fragments has it
	asks            bool                   // some of it is about tool calls
}

// Join joins a new event to its entity.
func (f *Tx) Join(ev *model.Event, known *model.Identity) error {
	e, err := f.entity(ev.Entity)
	if err != nil {
		return err
	}
	if e.Events == 0 {
		f.Totals.Entities++
	}
	changed := e.Fold(ev)
	e.changed = true
	if ev.Speaks() {
		return f.keepFragments(e, ev, known)
	}
	if changed.Request {
		e.request = model.NewBody(ev)
		if e.argumentsRef = argumentsOf(f, ev); e.argumentsRef != nil {
			e.request.Text = string(e.argumentsRef.Encode())
		}
	}
	if changed.Result {
		e.result = model.NewBody(ev)
	}
	if changed.Exchange {
		e.exchange = model.NewBody(ev)
	}
	return nil
}

// entity returns the state of an entity, a new one if it is not known.
func (f *Tx) entity(id uuid.UUID) (*touched, error) {
	if e := f.entities[id]; e != nil {
		return e, nil
	}
	known, err := state.LoadEntityState(f.seeker, id)
	unreadable := errors.Is(err, model.ErrUnreadable)
	if unreadable { // it begins anew, and without what was stored of it until a rebuild
		if err := (state.Unreadable{id: err}).Write(f.writes, f.Opts.Logger); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	e := &touched{EntityState: known, fresh: known == nil}
	if e.fresh {
		e.EntityState = model.NewEntityState(f.progress.NextOrdinal())
		if unreadable {
			e.RowsAtFirst = 1 + model.MaxParts // that the tables may have
		}
	} else {
		e.before, e.was, e.linked = model.CountedCall(id, known), model.HistoryShareOf(id, known), known.Links(f.Opts.Partition.Namespace, id)
	}
	f.entities[id] = e
	f.order = append(f.order, id)
	return e, nil
}

// Recreate begins an entity anew.
func (f *Tx) Recreate(id uuid.UUID) {
	f.entities[id] = &touched{EntityState: model.NewEntityState(f.progress.NextOrdinal()), fresh: true}
	f.order = append(f.order, id)
}

func (f *Tx) keepFragments(e *touched, ev *model.Event, known *model.Identity) error {
	e.asks = e.asks || strings.Contains(ev.Fragments, model.ToolCallFragment)
	if e.fresh {
		e.fragments = append(e.fragments, model.EventFragments{At: ev.Offset, Fragments: []byte(ev.Fragments)})
	}
	if known.Placed {
		var alone model.FragmentRun
		alone.Add(ev)
		f.alone[ev.ID] = alone.Record
		return f.writeRun(e.Ordinal, &alone)
	}
	if e.run.Add(ev) {
		return nil
	}
	err := f.writeRun(e.Ordinal, &e.run)
	e.run = model.FragmentRun{}
	e.run.Add(ev)
	return err
}

func (f *Tx) writeRun(ordinal uint64, p *model.FragmentRun) error {
	if p.Record == nil {
		return nil
	}
	return f.Set(model.FragmentRunKey(ordinal, p.At, p.Event), p.Record)
}

// mergeEvent joins another capture of an event: only when and where it was met may differ.
func (f *Tx) mergeEvent(ev *model.Event, known *model.Identity) error {
	e, err := f.entity(ev.Entity)
	if err != nil {
		return err
	}
	if e.Events == 0 {
		return nil // captured again as part of another workflow, where it does not count
	}
	if e.MergeDuplicate(ev) {
		e.changed = true
	}
	if !known.Placed || !ev.Offset.Before(known.Offset) {
		return nil
	}
	e.changed, e.moved = true, true
	return f.move(e, ev, known)
}

// move brings the fragments of an event from the place where it was known to an earlier one.
func (f *Tx) move(e *touched, ev *model.Event, known *model.Identity) error {
	from := model.FragmentRunKey(e.Ordinal, known.Offset, ev.ID)
	alone, pending := f.alone[ev.ID]
	if !pending {
		_, err := state.Get(f.DB, from, func(value []byte) error {
			alone = append(alone, value...)
			return nil
		})
		if err != nil {
			return err
		}
		f.alone[ev.ID] = alone
	}
	if err := f.Delete(from); err != nil {
		return err
	}
	if err := f.Set(model.FragmentRunKey(e.Ordinal, ev.Offset, ev.ID), alone); err != nil {
		return err
	}
	return f.remember(ev, model.NewIdentity(ev))
}

// finishEntity stores a changed entity, and sees to it that its rows get written.
func (f *Tx) finishEntity(id uuid.UUID, e *touched) error {
	if err := f.noteUnsaid(id, e); err != nil {
		return err
	}
	e.Reprice(f.Opts.Prices)
	held, err := f.hold(id, e)
	if err != nil {
		return err
	}
	if !held {
		if err := f.MarkEntity(id, e.EntityState); err != nil {
			return err
		}
	}
	f.Delta.Replace(e.before, model.CountedCall(id, e.EntityState))
	f.Histories.Replace(e.was, model.HistoryShareOf(id, e.EntityState))
	return f.writeEntity(id, e)
}

// writeEntity stores the state of an entity of the group.
func (f *Tx) writeEntity(id uuid.UUID, e *touched) error {
	err := errors.Join(f.Set(model.EntityKey(e.Ordinal, model.SlotState), e.Encode()), f.writeRun(e.Ordinal, &e.run))
	if e.request != nil {
		err = errors.Join(err, f.Set(model.EntityKey(e.Ordinal, model.SlotRequest), e.request.Encode()))
	}
	if e.result != nil {
		err = errors.Join(err, f.Set(model.EntityKey(e.Ordinal, model.SlotResult), e.result.Encode()))
	}
	if e.exchange != nil {
		err = errors.Join(err, f.Set(model.EntityKey(e.Ordinal, model.SlotExchange), e.exchange.Encode()))
	}
	if e.argumentsRef != nil {
		err = errors.Join(err, f.Set(model.ArgumentsKey(e.argumentsRef.Message, id), nil))
	}
	if e.fresh {
		err = errors.Join(err, f.Set(model.Key(model.KeyOrdinal, id), binary.AppendUvarint(nil, e.Ordinal)))
	}
	return err
}

func (f *Tx) mark(table byte, id uuid.UUID) error {
	return f.Set(state.DirtyKey(table, id), state.DirtyValue(f.progress.Generation, f.now))
}

// MarkEntity has the rows of an entity written again.
func (f *Tx) MarkEntity(id uuid.UUID, e *model.EntityState) error {
	table := byte(state.DirtyOpen)
	if e.HasEnded() {
		table = state.DirtyReady
	}
	return f.Set(state.EntityDirtyKey(table, e.Workflow, id), state.DirtyValue(f.progress.Generation, f.now))
}

// argumentsOf returns where the arguments of the call are that an event begins, nil if it has them.
func argumentsOf(f *Tx, ev *model.Event) *model.ArgumentsRef {
	if ev.Kind != bronze.KindToolCall || ev.Payload != "" || ev.Parent == "" {
		return nil
	}
	fragment, err := fastjson.Parse(ev.Fragments)
	if err != nil {
		return nil // it does not say where
	}
	text := func(member string) string { return string(fragment.GetStringBytes("0", member)) }
	return &model.ArgumentsRef{Message: f.intended(ev.Parent, ev.Workflow, false), Part: text("part"), ID: text("id")}
}

// markAsked takes up the calls whose arguments change with the group's messages.
func (f *Tx) markAsked() error {
	for _, id := range f.order {
		e := f.entities[id]
		if !e.asks || e.fresh {
			continue
		}
		err := state.Scan(f.DB, model.Key(model.KeyAsked, id), func(k, _ []byte) (bool, error) {
			call := model.LastID(k)
			known, err := state.LoadEntityState(f.seeker, call)
			if err != nil || known == nil {
				return err == nil, err
			}
			touched, err := f.entity(call)
			if err == nil {
				touched.changed = true
			}
			return err == nil, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
