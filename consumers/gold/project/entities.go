package project

import (
	"bytes"
	"context"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
	"assay/sovereign/schema"
)

// writeEntities writes the rows of marked entities, as many as make up one write.
func (t *Tables) writeEntities(ctx context.Context, snapshot *pebble.Snapshot, due []state.DirtyMark) (taken int, err error) {
	fresh, known := newRows(schema.Entities), newRows(schema.Entities)
	defer fresh.Release()
	defer known.Release()
	var plans []intent
	marked, unreadable := map[uuid.UUID]bool{}, state.Unreadable{}
	for size := 0; taken < len(due) && size < FlushBytes; taken++ {
		m := due[taken]
		stored, err := state.LoadRecord(snapshot, m.ID)
		if unreadable.Note(m.ID, err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if stored == nil {
			continue // it was forgotten, and is under a mark of another spelling of its workflow
		}
		if marked[m.ID] || stored.HasEnded() && m.Key[1] == state.DirtyOpen {
			continue // under another mark: marks go by workflow and by whether the entity has ended, both of which change
		}
		marked[m.ID] = true
		e, err := state.EntityOf(snapshot, stored)
		if err != nil {
			return 0, err
		}
		size += len(e.Request) + len(e.Result) + len(e.Text)
		t.cache.keep(episodesOf(stored, e))
		if stored.EntityRows > 0 {
			appendEntity(known, e)
			continue
		}
		appendEntity(fresh, e)
		plans = append(plans, intent{model.EntityKey(stored.Ordinal, model.SlotEntityRows), 1})
	}
	if err := t.writeViews(ctx, plans, fresh, known); err != nil {
		return 0, err
	}
	return taken, t.dropMarks(due[:taken], func(writes *pebble.Batch) error {
		for _, m := range due[:taken] {
			if err := dropOpenMark(writes, m); err != nil {
				return err
			}
		}
		for id := range marked {
			if err := writes.Set(state.DirtyKey(state.DirtyEpisode, id), state.DirtyValue(t.db.Progress.Generation, t.opts.Now()), nil); err != nil {
				return state.Wrap("write", err)
			}
		}
		return unreadable.Write(writes, t.opts.Logger)
	})
}

// dropOpenMark drops the mark that an entity which has ended still has from when it was open. It gets no new one.
func dropOpenMark(writes *pebble.Batch, m state.DirtyMark) error {
	if m.Key[1] != state.DirtyReady {
		return nil
	}
	open := bytes.Clone(m.Key)
	open[1] = state.DirtyOpen
	return state.Wrap("write", writes.Delete(open, nil))
}

// writeViews appends fresh rows, about which it says so first, and merges known ones.
func (t *Tables) writeViews(ctx context.Context, plans []intent, fresh, known *rows) error {
	if err := t.opts.Fault.At(state.BeforeIntent); err != nil {
		return err
	}
	if err := t.logIntent(plans); err != nil {
		return err
	}
	if err := t.write(ctx, false, fresh); err != nil {
		return err
	}
	if err := t.write(ctx, true, known); err != nil {
		return err
	}
	return t.opts.Fault.At(state.AfterWrite)
}

func appendEntity(r *rows, e *model.Entity) {
	r.text(e.UUID.String())
	r.text(e.Kind)
	r.text(e.WorkflowID)
	r.textOrNull(e.IntentID)
	r.textOrNull(e.AgentID)
	r.textOrNull(e.Capability)
	r.textOrNull(e.Provider)
	r.text(e.Status)
	r.instantOrNull(e.StartedAt)
	r.instantOrNull(e.EndedAt)
	r.integerOrNull(e.LatencyUS)
	r.text(e.StreamID)
	r.integer(e.FirstPosition)
	r.integer(e.LastPosition)
	r.integer(e.Events)
	r.integer(e.Bytes)
	r.integerOrNull(e.InputTokens)
	r.integerOrNull(e.OutputTokens)
	r.textOrNull(e.FinishReason)
	r.textOrNull(e.Error)
	r.textOrNull(e.Request)
	r.textOrNull(e.Result)
	r.textOrNull(e.Text)
	r.idOrNull(e.QuarantinedBy)
	r.textOrNull(e.Role)
	r.integerOrNull(e.CachedTokens)
	r.integerOrNull(e.ReasoningTokens)
	r.realOrNull(e.CostUSD)
	r.text(e.Clock)
	r.integer(e.FirstPart)
	r.idOrNull(e.CountedAs)
	r.integerOrNull(e.WrittenTokens)
	r.integerOrNull(e.HourTokens)
}
