package promotion

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/sovereign/schema"
)

// listStore keeps rows as they come, so that one promotion may have several.
type listStore struct{ rows []Publication }

func (s *listStore) Merge(_ context.Context, _ string, rows arrow.Record) error {
	reader, err := array.NewRecordReader(rows.Schema(), []arrow.Record{rows})
	if err != nil {
		return err
	}
	defer reader.Release()
	read, err := schema.Scan[row](reader)
	for _, r := range read {
		r.Publication.Payload = []byte(r.Payload)
		s.rows = append(s.rows, r.Publication)
	}
	return err
}

func (s *listStore) Append(ctx context.Context, table string, rows arrow.Record) error {
	return s.Merge(ctx, table, rows)
}

func (s *listStore) Query(_ context.Context, q schema.Query) (array.RecordReader, error) {
	var found []*Publication
	for i := range s.rows {
		if parse(q.Where.SQL())["event_uuid"][s.rows[i].EventUUID] {
			found = append(found, &s.rows[i])
		}
	}
	return array.NewRecordReader(schema.ByName(q.Table).Schema, []arrow.Record{encodeRows(found)})
}

func (s *listStore) Count(context.Context, string, schema.Filter) (int64, error) { return 0, nil }

func (s *listStore) Delete(_ context.Context, _ string, where schema.Filter) error {
	var kept []Publication
	for _, r := range s.rows {
		if !parse(where.SQL())["event_uuid"][r.EventUUID] {
			kept = append(kept, r)
		}
	}
	s.rows = kept
	return nil
}

// Whatever a row says of its event, the log is believed; whatever it says of what became of it, the row is.
func TestCorrect(t *testing.T) {
	const id = "00000000-0000-4000-8000-000000000001"
	said, err := FromEvent(id, "w", []byte(`{"event_cid":"e","timestamp":12.5,"source_episodic_event_cids":[],`+
		`"crystallized_semantic_node_cid":"n","compression_ratio":0.5}`))
	if err != nil {
		t.Fatal(err)
	}
	right := *said
	right.State, right.URN, right.Attempts, right.Registry = Published, "urn:1", 3, "r"
	right.PublishedAt, right.Accepted = time.Unix(99, 0).UTC(), time.Time{}
	with := func(change func(*Publication)) Publication {
		p := right
		change(&p)
		return p
	}
	pending := with(func(p *Publication) { p.State, p.URN, p.Attempts, p.PublishedAt = Pending, "", 9, time.Time{} })
	for name, test := range map[string]struct {
		rows             []Publication
		known, corrected int
	}{
		"right":    {[]Publication{right}, 1, 0},
		"none":     {nil, 0, 0},
		"payload":  {[]Publication{with(func(p *Publication) { p.Payload = []byte(`{"event_cid":"f"}`) })}, 1, 1},
		"cid":      {[]Publication{with(func(p *Publication) { p.EventCID = "f" })}, 1, 1},
		"workflow": {[]Publication{with(func(p *Publication) { p.Workflow = "v" })}, 1, 1},
		"time":     {[]Publication{with(func(p *Publication) { p.Time = time.Time{} })}, 1, 1},
		"doubled":  {[]Publication{pending, right, pending}, 1, 1},
	} {
		store := &listStore{rows: test.rows}
		known, corrected, err := Correct(t.Context(), store, []*Publication{said})
		if err != nil || known != test.known || corrected != test.corrected {
			t.Errorf("%s: %d known, %d corrected, %v", name, known, corrected, err)
		}
		if len(test.rows) > 0 && !reflect.DeepEqual(store.rows, []Publication{right}) {
			t.Errorf("%s: %+v\nwant %+v", name, store.rows, right)
		}
	}
}
