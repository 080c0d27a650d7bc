package query

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"assay/sovereign/schema"
)

// maxContext bounds the neighbours of a hit on each side.
const maxContext = 10

// cite tells of each hit which event it was made of, and in which frame that is.
func (l *Local) cite(ctx context.Context, hits []Hit) error {
	if len(hits) == 0 {
		return nil
	}
	type place struct {
		Entity   string `col:"entity_uuid"`
		Position int64  `col:"position"`
	}
	var entities []string
	var positions []int64
	byPlace := map[place][]*Hit{}
	for i := range hits {
		at := place{hits[i].EntityUUID, hits[i].Position}
		byPlace[at] = append(byPlace[at], &hits[i])
		entities, positions = append(entities, at.Entity), append(positions, at.Position)
	}
	slices.Sort(entities)
	slices.Sort(positions)
	type event struct {
		place
		ID  string `col:"event_uuid"`
		Seq int64  `col:"bronze_seq"`
	}
	events, err := query[event](ctx, l.Store, schema.Query{
		Table: schema.Traces, Columns: []string{"entity_uuid", "position", "event_uuid", "bronze_seq"},
		Where: schema.And(schema.In("entity_uuid", slices.Compact(entities)...), schema.In("position", slices.Compact(positions)...)),
	})
	if err != nil {
		return err
	}
	for _, e := range events {
		for _, h := range byPlace[e.place] {
			h.EventUUID, h.BronzeSeq = e.ID, e.Seq
		}
	}
	return nil
}

// surround adds to each hit what was said before and after it in its stream.
func (l *Local) surround(ctx context.Context, hits []Hit, n int) error {
	if n == 0 {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range hits {
		h := &hits[i]
		group.Go(func() (err error) {
			h.Before, err = l.beside(ctx, h, n, true)
			return err
		})
		group.Go(func() (err error) {
			h.After, err = l.beside(ctx, h, n, false)
			return err
		})
	}
	return group.Wait()
}

// beside reads up to n neighbours of a hit on one side, oldest first.
func (l *Local) beside(ctx context.Context, h *Hit, n int, before bool) ([]Neighbour, error) {
	side := schema.Gt("position", h.Position)
	if before {
		side = schema.Lt("position", h.Position)
	}
	found, err := query[Neighbour](ctx, l.Store, schema.Query{
		Table: schema.Episodes, Columns: []string{"episode_uuid", "kind", "capability", "ts", "position", "chunk", "text"}, Limit: n,
		Where:   schema.And(schema.Eq("workflow_id", h.WorkflowID), schema.Eq("stream_id", h.StreamID), side),
		OrderBy: []schema.Order{{Column: "position", Descending: before}, {Column: "chunk", Descending: before}},
	})
	if before {
		slices.Reverse(found)
	}
	return found, err
}
