package capture

import (
	"context"
	"sync/atomic"
	"time"

	"assay/internal/capture/framing"
	"assay/streams"
)

// Defaults and limits of a Recorder.
const (
	// FrameBytes is the default size at which a frame is cut.
	FrameBytes = 256 << 10
	// FrameEventsMax is the number of events at which a frame is cut.
	FrameEventsMax = 4096
	// FramesWaitingMax is how many frames of one stream wait for the log before Write does.
	FramesWaitingMax = 16
	// EventBytesMax is the default limit on one event.
	EventBytesMax = 16 << 20
	// Linger is how long, by default, an event of a live source waits for more to share a frame with.
	Linger = 5 * time.Millisecond
)

// Limits bound what becomes of a stream's bytes; zero values take the defaults.
type Limits struct {
	EventBytes int           // of one event; default EventBytesMax
	FrameBytes int           // at which a frame is cut; default FrameBytes
	Linger     time.Duration // of an event of a live source; default Linger
}

// Defaults returns the limits with each zero replaced by its default.
func (l Limits) Defaults() Limits {
	if l.EventBytes == 0 {
		l.EventBytes = EventBytesMax
	}
	if l.FrameBytes == 0 {
		l.FrameBytes = FrameBytes
	}
	if l.Linger == 0 {
		l.Linger = Linger
	}
	return l
}

// Publisher takes frames into the log and answers when they are durable: one acknowledgement a frame, in their order. A service's is
// streams.Publisher; programs that capture for one elsewhere have an outbox.Outbox before a Remote.
type Publisher interface {
	Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error)
}

// Frames are the stored frames of a stream by Frame.ID, as Log.StreamFrames returns them.
type Frames = map[string]streams.StoredFrame

// Options say what a Recorder records and how.
type Options struct {
	Source   streams.Source
	Format   framing.Format
	Workflow string
	Stream   string
	Map      string       // which members of the user's own events hold what: see package mapping
	Exchange string       // the HTTP exchange that the stream is part of; "" if none
	Side     streams.Side // sender of the events, until Recorder.From says otherwise; "" if unknown

	Position  uint64         // of the first event
	Positions *Positions     // if set, gives the positions instead: of a stream that several recorders record
	Stored    Frames         // what the log has of the stream already
	Captured  time.Time      // when the bytes were captured; zero: as the first of each frame is written
	Shed      func() float64 // threshold to stamp on each frame; nil: 0

	Limits     Limits
	Live       bool    // frames are also cut after Linger; else by size and count alone, the same whatever the timing
	Budget     *Budget // of frames in flight, shared with other recorders; nil: one of its own
	Unfinished *Budget // of the unfinished event, as far as it exceeds FrameBytes; nil: EventBytes is limit enough

	// TooLarge, if set, is told of each event over the limit and its offset in bytes; the event is left out, its position
	// kept free. Else such an event fails the recorder with framing.ErrTooLarge.
	TooLarge func(position uint64, offset int64)
	// Progress, if set, is told of bytes and events that have become durable, from one goroutine.
	Progress func(bytes, events int)
}

// Positions counts the events of a stream that several recorders record at once, such as the requests and answers of a
// session. Each frame gets its position as it is cut.
type Positions struct{ next atomic.Uint64 }

func (p *Positions) take(n int) uint64 { return p.next.Add(uint64(n)) - uint64(n) }

// Result tells what a Recorder brought into the log.
type Result struct {
	First    uint64 // position of the first event
	Next     uint64 // position after the last event
	Events   int
	Frames   int
	Stored   int // of Frames, those that the log had already
	Bytes    int64
	Sequence uint64 // highest in the log; 0 if there are no frames

	Unfinished int // bytes at the end that are no event, such as an SSE event without the empty line that ends it
}
