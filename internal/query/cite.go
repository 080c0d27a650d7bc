package query

import (
	"cmp"
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

// besideMax is how many records of a stream, on each side of a hit, neighbours are looked for in.
const besideMax = 10_000

// surround adds to each hit what was said before and after it in its stream.
func (l *Local) surround(ctx context.Context, hits []Hit, n int) error {
	if n == 0 {
		return nil
	}
	type stream struct{ workflow, id string }
	of := map[stream][]*Hit{}
	for i := range hits {
		s := stream{hits[i].WorkflowID, hits[i].StreamID}
		of[s] = append(of[s], &hits[i])
	}
	group, ctx := errgroup.WithContext(ctx)
	for s, hits := range of {
		where := schema.And(schema.Eq("workflow_id", s.workflow), schema.Eq("stream_id", s.id))
		group.Go(func() error { return l.surroundIn(ctx, where, hits, n) })
	}
	return group.Wait()
}

// surroundIn does so for the hits of one stream. Texts are read of the neighbours only, not of all that is near.
func (l *Local) surroundIn(ctx context.Context, stream schema.Filter, hits []*Hit, n int) error {
	type place struct {
		ID       string `col:"episode_uuid"`
		Position int64  `col:"position"`
	}
	near := make([]schema.Filter, len(hits))
	for i, h := range hits {
		near[i] = schema.And(schema.Ge("position", h.Position-besideMax), schema.Le("position", h.Position+besideMax))
	}
	all, err := query[place](ctx, l.Store, schema.Query{
		Table: schema.Episodes, Columns: []string{"episode_uuid", "position", "chunk"}, Where: schema.And(stream, schema.Or(near...)),
		OrderBy: []schema.Order{{Column: "position"}, {Column: "chunk"}},
	})
	if err != nil {
		return err
	}
	var ids []string
	beside := make([][2][]place, len(hits)) // before, after
	for i, h := range hits {
		first, _ := slices.BinarySearchFunc(all, h.Position, func(p place, at int64) int { return cmp.Compare(p.Position, at) })
		last, _ := slices.BinarySearchFunc(all, h.Position+1, func(p place, at int64) int { return cmp.Compare(p.Position, at) })
		beside[i] = [2][]place{all[max(0, first-n):first], all[last:min(len(all), last+n)]}
		for _, p := range slices.Concat(beside[i][0], beside[i][1]) {
			ids = append(ids, p.ID)
		}
	}
	found, err := query[Neighbour](ctx, l.Store, schema.Query{
		Table: schema.Episodes, Columns: []string{"episode_uuid", "kind", "capability", "ts", "position", "text"}, Where: schema.In("episode_uuid", ids...),
	})
	if err != nil {
		return err
	}
	told := map[string]Neighbour{}
	for _, of := range found {
		told[of.EpisodeUUID] = of
	}
	tell := func(places []place) (neighbours []Neighbour) {
		for _, p := range places {
			neighbours = append(neighbours, told[p.ID])
		}
		return neighbours
	}
	for i, h := range hits {
		h.Before, h.After = tell(beside[i][0]), tell(beside[i][1])
	}
	return nil
}
