package replay

import (
	"bytes"
	"fmt"
	"testing"

	"assay/streams"
	"assay/streams/streamstest"
)

// publish publishes frames as they are, each in its turn.
func publish(t *testing.T, log *streams.Log, frames ...*streams.Frame) {
	t.Helper()
	publisher := log.NewPublisher(streams.PublisherConfig{})
	for _, f := range frames {
		if _, err := publisher.Publish(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	if err := publisher.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func frame(stream string, position uint64, count int, body string) *streams.Frame {
	f := &streams.Frame{
		Source: streams.SourceSSE, Workflow: "w", ContentType: streams.ContentSSE, Stream: stream, Position: position, Count: count,
		Body: []byte(body),
	}
	if body[0] == '{' {
		f.Source, f.ContentType = streams.SourceEvent, streams.ContentNDJSON
	}
	return f
}

// A tail whose stream grew is given once; every other byte is given, also of tails that were never finished.
func TestTailsAreGivenOnce(t *testing.T) {
	log := streamstest.NewLog(t)
	var all []*streams.Frame
	var want string
	add := func(given bool, f *streams.Frame) {
		if all = append(all, f); given {
			want += string(f.Body)
		}
	}
	for i := range 5 {
		stream := fmt.Sprint("grown ", i)
		add(true, frame(stream, 0, 1, "data: 1\n\n"))
		add(false, frame(stream, 1, 0, "data: unf"))
		add(true, frame("left "+stream, 0, 0, "data: unf"))
		add(false, frame(stream, 1, 0, "data: unfinis"))
		add(true, frame(stream, 1, 2, "data: unfinished\n\ndata: 3\n\n"))
		add(true, frame(stream, 3, 0, "data: 4"))
		add(false, frame("lines "+stream, 0, 1, `{"a":1}`))
		add(true, frame("lines "+stream, 0, 1, "{\"a\":1}\n"))
		add(true, frame("lines "+stream, 1, 1, `{"a":2}`))
		add(true, frame("lines "+stream, 2, 1, "{\"a\":3}\n"))
		add(true, frame("other "+stream, 1, 0, "data: un"))
		add(true, frame("other "+stream, 1, 1, "data: different\n\n"))
	}
	publish(t, log, all...)
	for _, room := range []int{1, 2, 7, tailsMax} {
		var got bytes.Buffer
		for f, err := range (Selection{}).framesWithin(t.Context(), log, room) {
			if err != nil {
				t.Fatal(err)
			}
			got.Write(f.Body)
		}
		if got.String() != want {
			t.Errorf("looking into %d tails at a time:\n%q, want\n%q", room, got.String(), want)
		}
	}
	// What repeats a tail lies beyond the end, so the tail is all that there is.
	var got bytes.Buffer
	if err := Write(t.Context(), &got, log, Selection{Stream: "grown 0", ToSeq: 2}); err != nil || got.String() != "data: 1\n\ndata: unf" {
		t.Errorf("%q, %v", got.String(), err)
	}
}
