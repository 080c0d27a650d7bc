package capture

import (
	"context"
	"fmt"
	"sync"
	"time"

	"assay/internal/wire"
	"assay/streams"
)

// Defaults and limits of a Recorder.
const (
	// FrameBytes is the size at which a frame is cut.
	FrameBytes = 256 << 10
	// FrameEventsMax is the number of events at which a frame is cut.
	FrameEventsMax = 4096
	// FramesInFlightMax is how many frames of one stream wait for the log before Write blocks.
	FramesInFlightMax = 16
	// EventBytesMax is the default limit on one event.
	EventBytesMax = 16 << 20
	// Linger is how long a live source's events wait for more to share a frame with.
	Linger = 5 * time.Millisecond
)

// Publisher takes frames into the log and answers when they are durable: one acknowledgement a frame, in their order.
type Publisher interface {
	Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error)
}

// Options say what a Recorder records.
type Options struct {
	Source      streams.Source
	Workflow    string
	Stream      string
	ContentType string
	Side        streams.Side // of all events; "" if unknown

	Position uint64         // of the first event
	Stored   []StoredFrame  // what the log has of the stream already
	Captured time.Time      // when the bytes were captured; zero: when their frame is cut
	Shed     func() float64 // threshold to stamp on frames; nil: 0

	EventBytes int           // limit on one event; 0: EventBytesMax
	Linger     time.Duration // 0: frames are cut by size and count alone, the same ones whatever the timing
	Budget     *Budget       // shared by recorders; nil: FramesInFlightMax frames of this stream alone

	// TooLarge, if set, is told of each event over the limit, which is then left out; its position stays empty. If nil,
	// such an event fails the recorder with ErrEventTooLarge.
	TooLarge func(position uint64, size int64)
	// Progress, if set, is told of bytes and events that are durable, by one goroutine at a time.
	Progress func(bytes, events int)
}

// Result tells what a Recorder made durable.
type Result struct {
	First    uint64 // position of the first event
	Next     uint64 // position after the last event
	Events   int    // in the log now, those that it had before included
	Frames   int    // published or stored already
	Stored   int    // of Frames: in the log before
	Bytes    int64
	Sequence uint64 // of the last frame published; 0 if none was
}

// Recorder cuts the bytes of one source stream into frames and publishes them in order. Write and Close are for one
// goroutine.
type Recorder struct {
	opts   Options
	pub    Publisher
	split  *wire.Splitter
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu      sync.Mutex // guards pending
	pending cutter
	linger  *time.Timer        // fires when pending has waited long enough
	frames  chan *streams.Frame // cut, in order; limited by FramesInFlightMax
	done    chan struct{}      // closed when send has returned

	result Result // written by send
	closed bool
}

// New starts a Recorder. Its context ends with ctx; Close must be called in any case.
func New(ctx context.Context, pub Publisher, opts Options) *Recorder {
	return nil
}

var _ = fmt.Sprint
