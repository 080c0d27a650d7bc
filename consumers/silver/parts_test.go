package silver

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"

	"assay/consumers/bronze"
	"assay/kernels"
	"assay/streams"
)

// recordOf is a record of several events, as a decoder gives them.
func recordOf(texts ...string) []bronze.Event {
	events := make([]bronze.Event, len(texts))
	for part, text := range texts {
		events[part] = bronze.Event{
			Kind: "x", StreamID: "s|1", Position: 7, Part: part, Digest: sha1.Sum([]byte("raw")), Disposition: bronze.Kept, Text: text,
		}
	}
	return events
}

// The first event of a record is identified as the only one of a record always was, the others by their part as well.
func TestIdentityOfParts(t *testing.T) {
	digest := sha1.Sum([]byte("raw"))
	name := `s\|1|7|`
	for part, want := range []string{name + hex.EncodeToString(digest[:]), name + "1|" + hex.EncodeToString(digest[:])} {
		events := recordOf("a", "b")
		if got := EventUUID(namespace, &events[part]); got != kernels.UUID(namespace, want) {
			t.Errorf("part %d: %s, want that of %s", part, got, want)
		}
	}
}

// One event that cannot become a row makes its record one dead event, and leaves its neighbours alone.
func TestUnfitPartBuriesItsRecord(t *testing.T) {
	events := append(recordOf("a", strings.Repeat("x", rowBytesMax), "c"), recordOf("d", "e")...)
	got := buryUnfit(&streams.Frame{Workflow: "wf"}, events)
	if len(got) != 3 || got[0].Disposition != bronze.Dead || got[1].Text != "d" || got[2].Text != "e" {
		t.Errorf("%d events, want a dead one and two others: %+v", len(got), got)
	}
}
