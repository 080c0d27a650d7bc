package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"assay/sovereign"
	"assay/sovereign/schema"
)

// A server that is told to stop right after it has accepted an event still brings it into the tables.
func TestStopEndsWhatWasAccepted(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server, url := serve(t, data)
	response, err := http.Post(url+"/v1/ingest/event/w", "application/json", strings.NewReader(`{"type":"note","text":"the last word"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	server.stop(t)
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	store, err := sovereign.Open(t.Context(), filepath.Join(data, "sovereign"), sovereign.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	type row struct {
		Text string `col:"text"`
	}
	for _, table := range []string{schema.Traces, schema.Entities} {
		rows := read[row](t, store, schema.Query{Table: table, Columns: []string{"text"}})
		if len(rows) != 1 || rows[0].Text != "the last word" {
			t.Errorf("%s: %v", table, rows)
		}
	}
}
