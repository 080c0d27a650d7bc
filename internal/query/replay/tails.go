package replay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"strings"
	"time"

	"assay/internal/capture/framing"
	"assay/streams"
)

// When a stream is captured that ends in the middle of an event, the unfinished rest becomes a frame of its own. Captured
// again when it has grown, the stream goes on with a frame at the same position, which begins with the same bytes. To give
// them once, a replay leaves out each tail that the next frame of its stream repeats.

// tailsMax bounds the streams whose tails are looked into at a time; each takes about 150 bytes. Beyond it the log is read
// once more.
const tailsMax = 1 << 16

// tails knows which tails are repeated, up to a sequence.
type tails struct {
	log      *streams.Log
	among    streams.ReplayOptions // the frames that are replayed
	max      int
	decided  uint64
	repeated map[uint64]struct{}
}

// tail is the end of a capture, waiting for the stream to go on.
type tail struct {
	seq, position uint64
	bytes         int
	digest        [sha256.Size]byte
}

// repeatedBy reports whether the next frame of the stream begins where and as the tail does.
func (t *tail) repeatedBy(f *streams.Frame) bool {
	return f.Position == t.position && t.bytes <= len(f.Body) && sha256.Sum256(f.Body[:t.bytes]) == t.digest
}

// leftOut reports whether a frame is a tail that a later frame repeats.
func (t *tails) leftOut(ctx context.Context, seq uint64, f *streams.Frame) (bool, error) {
	if !endsUnfinished(f) {
		return false, nil
	}
	if seq > t.decided {
		if err := t.look(ctx, seq); err != nil {
			return false, err
		}
	}
	_, yes := t.repeated[seq]
	return yes, nil
}

// look finds out about the tail at a sequence, and about those after it as far as there is room for them.
func (t *tails) look(ctx context.Context, from uint64) error {
	t.repeated, t.decided = map[uint64]struct{}{}, math.MaxUint64
	waiting := map[[sha256.Size]byte]tail{} // by a digest of the stream's name
	rest := t.among
	rest.FromSeq, rest.From = from, time.Time{}
	for m, err := range streams.Scan(ctx, t.log.Bronze(), rest) {
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		f := frameOf(m)
		stream := sha256.Sum256([]byte(f.Stream))
		if last, ok := waiting[stream]; ok && last.repeatedBy(f) {
			t.repeated[last.seq] = struct{}{}
		}
		delete(waiting, stream)
		switch {
		case t.decided != math.MaxUint64 || !endsUnfinished(f):
		case len(waiting)+len(t.repeated) == t.max:
			t.decided = m.Seq - 1
		default:
			waiting[stream] = tail{m.Seq, f.Position, len(f.Body), sha256.Sum256(f.Body)}
		}
	}
	return nil
}

// endsUnfinished reports whether a frame may be the unfinished end of a capture: it has no events, or a line that does not end.
func endsUnfinished(f *streams.Frame) bool {
	if f.Count == 0 || bytes.HasSuffix(f.Body, []byte("\n")) {
		return f.Count == 0
	}
	format, err := framing.FormatOf(f.ContentType)
	return err == nil && format == framing.NDJSON
}

// frameOf returns a message as a frame. What another client has published malformed was captured as well: it stands where the
// log has it.
func frameOf(m streams.Message) *streams.Frame {
	f, err := streams.ParseFrame(m.Subject, m.Header, m.Data, m.Seq, m.Time)
	if err == nil {
		return f
	}
	f = &streams.Frame{ContentType: streams.ContentJSON, Stream: m.Subject, Position: m.Seq, Count: 1, Captured: m.Time, Body: m.Data}
	if strings.HasPrefix(m.Subject, "bronze."+string(streams.SourceSSE)+".") {
		f.ContentType = streams.ContentSSE
	}
	return f
}
