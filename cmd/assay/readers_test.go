package main

import (
	"context"
	"path/filepath"
	"testing"

	"assay/sovereign"
	"assay/sovereign/schema"
)

// readParts is how many sample sessions are ingested while TestReadersMeanwhile reads.
const readParts = 60

const (
	sampleFrames = 67  // of the sample session, as it is played
	sampleEvents = 121 // of its streams that a file may hold
)

// TestReadersMeanwhile reads the tables through handles of its own while the program writes them: rows come and never go
// or come twice, and no entity says more than the traces that are there.
func TestReadersMeanwhile(t *testing.T) {
	t.Parallel()
	input, data := t.TempDir(), t.TempDir()
	var parts []string
	for n := range readParts {
		parts = append(parts, part(t, input, n))
	}
	summarise(t, ingestArgs(data, parts[:1])) // so that there are tables

	running, ended := context.WithCancelCause(t.Context())
	go func() {
		_, err := command(t.Context(), ingestArgs(data, parts)...).Output()
		ended(err)
	}()
	r := reading{T: t, seen: map[string]bool{}}
	for running.Err() == nil {
		r.round(filepath.Join(data, "sovereign"))
	}
	if err := context.Cause(running); err != context.Canceled { // which stands for no error
		t.Fatal(err)
	}
	r.round(filepath.Join(data, "sovereign"))
	if len(r.seen) != readParts*sampleEvents {
		t.Errorf("%d events in the end, want %d", len(r.seen), readParts*sampleEvents)
	}
	t.Logf("%d rounds, traces at %d sizes", r.rounds, r.sizes)
}

// reading is what was read so far.
type reading struct {
	*testing.T
	seen          map[string]bool // events
	rounds, sizes int             // sizes: how often traces had grown
}

// round reads entities, then traces: what is derived may be behind its events, but never ahead.
func (r *reading) round(dir string) {
	r.Helper()
	store, err := sovereign.Open(r.Context(), dir, sovereign.Options{})
	if err != nil {
		r.Fatal(err)
	}
	defer store.Close()
	type entity struct {
		ID     string `col:"entity_uuid"`
		Events int64  `col:"events"`
	}
	type trace struct {
		ID     string `col:"event_uuid"`
		Entity string `col:"entity_uuid"`
	}
	entities := read[entity](r.T, store, schema.Query{Table: schema.Entities, Columns: []string{"entity_uuid", "events"}})
	traces := read[trace](r.T, store, schema.Query{Table: schema.Traces, Columns: []string{"event_uuid", "entity_uuid"}})

	events, found := map[string]int64{}, map[string]bool{}
	for _, row := range traces {
		if found[row.ID] {
			r.Fatalf("event %s is there twice", row.ID)
		}
		found[row.ID] = true
		events[row.Entity]++
	}
	for id := range r.seen {
		if !found[id] {
			r.Fatalf("event %s was there and is gone", id)
		}
	}
	for _, row := range entities {
		if row.Events > events[row.ID] {
			r.Fatalf("entity %s tells of %d events, traces has %d", row.ID, row.Events, events[row.ID])
		}
	}
	r.rounds++
	if len(found) > len(r.seen) {
		r.sizes++
	}
	r.seen = found
}

func read[Row any](t *testing.T, store *sovereign.Store, q schema.Query) []Row {
	t.Helper()
	reader, err := store.Query(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	rows, err := schema.Scan[Row](reader)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
