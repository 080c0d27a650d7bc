package erase

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/streams"
	"assay/streams/streamstest"
)

// What is read before folding stands still and what is read then make up the workflow, each frame once.
func TestRowsThatWereSetAside(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := streamstest.NewLog(t)
	publisher := log.NewPublisher(streams.PublisherConfig{})
	defer func() {
		if err := publisher.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	n := 0
	publish := func(workflows ...string) (last uint64) {
		for _, w := range workflows {
			acks, err := publisher.Publish(ctx, &streams.Frame{
				Source: streams.SourceEvent, Workflow: w, ContentType: streams.ContentNDJSON, Stream: "s", Position: uint64(n), Count: 1,
				Captured: time.Unix(1, 0).UTC(), Body: fmt.Appendf(nil, "{\"type\":\"note\",\"n\":%d}\n", n),
			})
			if err != nil {
				t.Fatal(err)
			}
			n++
			last = acks[0].Seq
		}
		return last
	}
	options := silver.DefaultOptions()
	options.Decoder = bronze.NewDecoder()
	options.Keys, options.Logger, options.Publisher = &bronze.Keys{}, slog.New(slog.DiscardHandler), log
	f := &forgetting{Options: Options{Log: log, Silver: &options, Dir: t.TempDir()}, report: &Report{}}
	f.report.Workflow = "goes"

	if err := f.gather(ctx, publish("goes", "stays", "goes")); err != nil {
		t.Fatal(err)
	}
	defer f.aside.close()
	f.report.Through = publish("stays", "Goes")
	publish("goes") // it is new
	rows := int64(0)
	for record, err := range f.rows(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		rows += record.NumRows()
	}
	if rows != 3 || fmt.Sprint(f.whole) != "[1 3 5]" || f.report.Frames != 3 {
		t.Errorf("%d rows of frames %v", rows, f.whole)
	}
}
