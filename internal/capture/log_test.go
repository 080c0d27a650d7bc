package capture_test

import (
	"context"
	"strings"
	"testing"

	"assay/internal/capture"
	"assay/streams"
	"assay/streams/streamstest"
)

// startLog starts an embedded server with a log and a publisher.
func startLog(t testing.TB) (*streams.Log, *streams.Publisher) {
	t.Helper()
	log := streamstest.NewLog(t)
	publisher := log.NewPublisher(streams.PublisherConfig{})
	t.Cleanup(func() { _ = publisher.Close(context.Background()) })
	return log, publisher
}

// Against the real log: files of all sizes are captured whole, once, however often they are captured.
func TestCaptureIntoTheLog(t *testing.T) {
	log, publisher := startLog(t)
	dir := tree(t, map[string]string{
		"large.ndjson": `{"type":"t","pad":"` + strings.Repeat("x", capture.EventBytesMax-100) + `"}` + "\n" + lines(10, 10),
		"many.ndjson":  lines(20_000, 10),
		"rest.sse":     "data: 1\n\ndata: unfinished",
	})
	files := &capture.Files{Publisher: publisher, Stored: log.StreamFrames}
	for attempt := range 2 {
		total, problems := captureFiles(t, files, dir)
		if total.Events != 11+20_000+1 || len(problems) > 0 || attempt == 1 && total.Stored != total.Frames {
			t.Errorf("attempt %d: %+v, %v", attempt, total, problems)
		}
		info, err := log.Bronze().Info(context.Background())
		if err != nil || info.State.Msgs != uint64(total.Frames) {
			t.Errorf("%d frames in the log, %d captured, %v", info.State.Msgs, total.Frames, err)
		}
	}
}
