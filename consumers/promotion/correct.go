package promotion

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"assay/sovereign/schema"
)

// FromEvent returns what the log says of a promotion: its publication, of which nothing has become yet. Errors wrap ErrInvalid.
func FromEvent(eventUUID, workflow string, payload []byte) (*Publication, error) {
	p, err := Parse(eventUUID, workflow, payload)
	if err != nil {
		return nil, err
	}
	return newPublication(&p, payload, time.Time{}), nil
}

// Correct makes rows of the table say what the log says of their promotions, and leaves what became of these as it is. Of several
// rows of a promotion one remains. It returns how many of the promotions have a row, and how many of the rows were others. Nobody
// may publish meanwhile.
func Correct(ctx context.Context, store schema.Store, said []*Publication) (known, corrected int, err error) {
	ids := make([]string, len(said))
	for i, s := range said {
		ids[i] = s.EventUUID
	}
	p := &Publisher{Options: Options{Store: store}}
	found, err := p.rows(ctx, schema.Query{Where: schema.In("event_uuid", ids...)})
	if err != nil {
		return 0, 0, err
	}
	rows := map[string][]Publication{}
	for _, f := range found {
		rows[f.EventUUID] = append(rows[f.EventUUID], f)
	}
	var wrong []*Publication
	for _, s := range said {
		if of := rows[s.EventUUID]; len(of) > 1 || len(of) == 1 && !of[0].tells(s) {
			wrong = append(wrong, furthest(of).of(s))
		}
	}
	return len(rows), len(wrong), p.replace(ctx, store, wrong)
}

// replace puts rows in the place of those with the same keys.
func (p *Publisher) replace(ctx context.Context, store schema.Store, by []*Publication) error {
	if len(by) == 0 {
		return nil
	}
	ids := make([]string, len(by))
	for i, b := range by {
		ids[i] = b.EventUUID
	}
	if err := store.Delete(ctx, schema.Promotions, schema.In("event_uuid", ids...)); err != nil {
		return fmt.Errorf("promotion: delete %d rows: %w", len(ids), err)
	}
	return p.merge(ctx, by)
}

// tells reports whether p says of its event what the log does.
func (p *Publication) tells(said *Publication) bool {
	return p.EventCID == said.EventCID && p.Workflow == said.Workflow && p.Time.Equal(said.Time) && bytes.Equal(p.Payload, said.Payload)
}

// of returns p with what the log says of its event.
func (p Publication) of(said *Publication) *Publication {
	p.EventCID, p.Workflow, p.Time, p.Payload = said.EventCID, said.Workflow, said.Time, said.Payload
	return &p
}

// furthest is the row that knows most: one that is published, or else has seen most attempts.
func furthest(rows []Publication) Publication {
	return slices.MaxFunc(rows, func(a, b Publication) int {
		if published := a.State == Published; published != (b.State == Published) {
			if published {
				return 1
			}
			return -1
		}
		return int(a.Attempts - b.Attempts)
	})
}
