package query

import (
	"context"

	"assay/sovereign/schema"
)

// maxOriginEvents bounds the events that are looked at for one answer, over all its hits; of more, the first of the table count.
const maxOriginEvents = 100_000

// trace tells of each hit which events its entity was made of.
func (l *Local) trace(ctx context.Context, hits []Hit) error {
	ids, origins := []string{}, map[string]*Origin{}
	for i := range hits {
		id := hits[i].EntityUUID
		if origins[id] == nil {
			origins[id] = &Origin{}
			ids = append(ids, id)
		}
		hits[i].Origin = origins[id]
	}
	type row struct {
		Entity   string `col:"entity_uuid"`
		Event    string `col:"event_uuid"`
		Position int64  `col:"position"`
		Seq      int64  `col:"bronze_seq"`
	}
	rows, err := query[row](ctx, l.Store, schema.Query{
		Table: schema.Traces, Columns: []string{"entity_uuid", "event_uuid", "position", "bronze_seq"}, Where: schema.In("entity_uuid", ids...),
		Limit: maxOriginEvents,
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		origins[r.Entity].add(r.Event, r.Position, r.Seq)
	}
	return nil
}

func (o *Origin) add(event string, position, seq int64) {
	if o.Events == 0 {
		*o = Origin{0, event, position, position, seq, seq}
	}
	if position < o.FirstPosition {
		o.FirstEvent = event
	}
	o.Events++
	o.FirstPosition, o.LastPosition = min(o.FirstPosition, position), max(o.LastPosition, position)
	o.FirstBronzeSeq, o.LastBronzeSeq = min(o.FirstBronzeSeq, seq), max(o.LastBronzeSeq, seq)
}
