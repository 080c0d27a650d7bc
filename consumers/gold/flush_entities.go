package gold

import (
	"bytes"
	"context"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/sovereign/schema"
)

// writeEntities writes the rows of marked entities, as many as make up one write.
func (g *Gold) writeEntities(ctx context.Context, snapshot *pebble.Snapshot, due []mark) (taken int, err error) {
	fresh, known := newRows(schema.Entities), newRows(schema.Entities)
	defer fresh.Release()
	defer known.Release()
	var plans []plan
	marked, unreadable := map[uuid.UUID]bool{}, aside{}
	for size := 0; taken < len(due) && size < flushBytes; taken++ {
		m := due[taken]
		stored, err := loadWhole(snapshot, m.id)
		if unreadable.take(m.id, err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if stored == nil {
			continue // it was forgotten, and is under a mark of another spelling of its workflow
		}
		if marked[m.id] || stored.settled() && m.key[1] == dirtyOpen {
			continue // under another mark: marks go by workflow and by whether the entity has ended, both of which change
		}
		marked[m.id] = true
		e, err := stored.view(snapshot)
		if err != nil {
			return 0, err
		}
		size += len(e.Request) + len(e.Result) + len(e.Text)
		g.told.keep(stored.retelling(e))
		if stored.inEntities > 0 {
			e.appendTo(known)
			continue
		}
		e.appendTo(fresh)
		plans = append(plans, plan{entityKey(stored.ordinal, slotInEntities), 1})
	}
	if err := g.writeViews(ctx, plans, fresh, known); err != nil {
		return 0, err
	}
	return taken, g.unmark(due[:taken], func(writes *pebble.Batch) error {
		for _, m := range due[:taken] {
			if err := dropOpenMark(writes, m); err != nil {
				return err
			}
		}
		for id := range marked {
			if err := writes.Set(markKey(dirtyEpisode, id), markValue(g.progress.generation, g.opts.Now()), nil); err != nil {
				return stateError("write", err)
			}
		}
		return g.setAside(writes, unreadable)
	})
}

// dropOpenMark drops the mark that an entity which has ended still has from when it was open. It gets no new one.
func dropOpenMark(writes *pebble.Batch, m mark) error {
	if m.key[1] != dirtyReady {
		return nil
	}
	open := bytes.Clone(m.key)
	open[1] = dirtyOpen
	return stateError("write", writes.Delete(open, nil))
}

// writeViews appends fresh rows, about which it says so first, and merges known ones.
func (g *Gold) writeViews(ctx context.Context, plans []plan, fresh, known *rows) error {
	if err := g.fault(BeforeIntent); err != nil {
		return err
	}
	if err := g.intend(plans); err != nil {
		return err
	}
	if err := g.write(ctx, false, fresh); err != nil {
		return err
	}
	if err := g.write(ctx, true, known); err != nil {
		return err
	}
	return g.fault(AfterWrite)
}

func (e *Entity) appendTo(r *rows) {
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
}
