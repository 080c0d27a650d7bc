package erase

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/kernels"
	"assay/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// drawFrame draws a frame with events of two workflows, one or several on a line.
func drawFrame(t *rapid.T) *streams.Frame {
	source := rapid.SampledFrom([]streams.Source{streams.SourceEvent, streams.SourceSSE}).Draw(t, "source")
	f := &streams.Frame{
		Source: source, Workflow: "file", ContentType: streams.ContentNDJSON, Stream: "s", Shed: 0.5,
		Position: rapid.Uint64Range(0, 9).Draw(t, "position"), Captured: time.Unix(1, 0).UTC(),
	}
	event := func() string {
		f.Count++
		return fmt.Sprintf(`{"type":"note","workflow_id":%q,"n":%d}`, rapid.SampledFrom([]string{"stays", "goes"}).Draw(t, "workflow"), f.Count)
	}
	var body bytes.Buffer
	for range rapid.IntRange(1, 8).Draw(t, "units") {
		what := rapid.IntRange(0, 4).Draw(t, "unit")
		switch {
		case source == streams.SourceSSE && what == 0:
			body.WriteString(": a comment\n\n")
		case source == streams.SourceSSE:
			fmt.Fprintf(&body, "data: %s\n\n", event())
		case what == 0:
			fmt.Fprintf(&body, "[%s, %s]\n", event(), event())
		case what == 1:
			body.WriteString("\n")
		default:
			body.WriteString(event() + "\n")
		}
	}
	if source == streams.SourceSSE {
		f.ContentType = streams.ContentSSE
	}
	f.Body = body.Bytes()
	return f
}

func goes(e *bronze.Event) bool { return e.WorkflowID == "goes" }

// The events that stay have the identities that they had; those that go are in no part, unless one line holds both.
func TestSplitFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frame := drawFrame(t)
		events := bronze.Decode(frame, 1)
		want, got := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
		for i := range events {
			if !goes(&events[i]) {
				want[silver.EventUUID(kernels.Namespace, &events[i])] = true
			}
		}
		parts, ok := splitFrame(frame, events, goes)
		if !ok {
			t.Fatalf("%s cannot be split", frame.Body)
		}
		for _, part := range parts {
			if part.Workflow != "stays" || part.Shed != frame.Shed || !part.Captured.Equal(frame.Captured) {
				t.Fatalf("part %+v", part)
			}
			of := bronze.Decode(part, 2)
			for i := range of {
				id := silver.EventUUID(kernels.Namespace, &of[i])
				if !goes(&of[i]) {
					got[id] = true
				} else if !bytes.Contains(part.Body, []byte("[")) {
					t.Fatalf("%s still holds an event that goes", part.Body)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("of %s there are %v, want %v", frame.Body, got, want)
		}
	})
}
