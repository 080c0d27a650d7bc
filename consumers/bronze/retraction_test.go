package bronze

import (
	"os"
	"slices"
	"strings"
	"testing"

	"assay/streams"
)

func TestRetracted(t *testing.T) {
	body, err := os.ReadFile("testdata/retractions.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		id    string
		names []string
	}{
		{"cascade-1", []string{"ev-1", "ev-2", "ev-3"}},
		{"rollback-1", []string{"ev-4"}}, // where it goes back to stays
		{"retraction-1", []string{"ev-5"}},
		{"/agents/1|c-1", []string{"ev-6", "ev-7"}},
	}
	events := Decode(&streams.Frame{Source: streams.SourceEvent, ContentType: "application/x-ndjson", Count: len(want), Body: body}, 1)
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d", len(events), len(want))
	}
	for i, e := range events {
		if names := Retracted(e.Kind, e.Payload); e.EventID != want[i].id || !slices.Equal(names, want[i].names) {
			t.Errorf("%s (%s) takes back %v, want %s and %v", e.EventID, e.Kind, names, want[i].id, want[i].names)
		}
	}
	if other := strings.ReplaceAll(events[1].Payload, KindRollback, "note"); Retracted("note", other) != nil {
		t.Error("a note takes nothing back")
	}
}
