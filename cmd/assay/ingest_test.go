package main

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// What a server has already is not sent to it again, also when it was started anew meanwhile.
func TestIngestedAgainAddsNothing(t *testing.T) {
	t.Parallel()
	data, input := t.TempDir(), t.TempDir()
	part(t, input, 0)
	var first, again struct {
		Frames int `json:"frames"`
		Stored int `json:"stored_already"`
		Events int `json:"events"`
	}
	ingest := func(into any) {
		t.Helper()
		server, url := serve(t, data)
		if err := json.Unmarshal(output(t, "ingest", "--json", "--server", url, filepath.Join(input, "part-0")), into); err != nil {
			t.Fatal(err)
		}
		server.stop(t)
	}
	ingest(&first)
	frames := len(framesOf(t, data))
	ingest(&again)
	if first.Stored != 0 || again.Stored != again.Frames || again.Events != first.Events || len(framesOf(t, data)) != frames {
		t.Errorf("%+v, then %+v; %d frames, then %d", first, again, frames, len(framesOf(t, data)))
	}
}
