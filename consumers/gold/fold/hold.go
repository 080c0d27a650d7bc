package fold

import (
	"slices"

	"github.com/google/uuid"
	"github.com/valyala/fastjson"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// hold builds the rows of an entity if the group has all of it, and tells whether it did. An entity that is open waits for
// what ends it.
func (f *Tx) hold(id uuid.UUID, e *touched) (bool, error) {
	if f.held == nil || !e.fresh || e.RowsAtFirst > 0 || e.Echo || e.argumentsRef != nil || e.moved || e.Opened && !e.HasEnded() || f.held.Bytes > f.Opts.HoldBytes {
		return false, nil
	}
	content, err := e.content(&f.parser)
	if err != nil {
		return false, nil // the mark leads to where what is unreadable is dealt with
	}
	view := model.NewEntity(id, e.EntityState, content)
	if f.lineage.guarded {
		if view.QuarantinedBy, err = state.QuarantinedBy(f.DB, id); err != nil {
			return false, err
		}
	}
	episodes := content.Episodes(e.Failure())
	f.held.Add(view, episodes)
	e.RowsAtFirst = 1 + uint64(len(episodes))
	return true, nil
}

// MarkAll has all rows marked and none held.
func (f *Tx) MarkAll() {
	f.held.Release()
	f.held = nil
}

// noteHeld stores which entities the commit holds.
func (f *Tx) noteHeld() error {
	if f.held == nil || len(f.held.IDs) == 0 {
		return nil
	}
	return f.Set(f.held.Encode(f.progress.Generation))
}

// content is all that the group has of a fresh entity.
func (e *touched) content(parser *fastjson.Parser) (*model.Content, error) {
	c := &model.Content{}
	if e.request != nil {
		c.Request = *e.request
	}
	c.NameCall(e.EntityState)
	if e.result != nil {
		c.Result = *e.result
	}
	if e.exchange != nil {
		c.Exchange = *e.exchange
	}
	if len(e.fragments) == 0 {
		return c, nil
	}
	if !slices.IsSortedFunc(e.fragments, model.EventFragments.Compare) {
		slices.SortFunc(e.fragments, model.EventFragments.Compare)
	}
	a := model.NewAssembly(parser)
	for _, p := range e.fragments {
		if err := a.AddAll(p.Fragments); err != nil {
			return nil, err
		}
	}
	c.Take(a)
	return c, nil
}
