package capture

import (
	"slices"
	"time"

	"assay/internal/capture/framing"
	"assay/streams"
)

// contentTypes are those of frames.
var contentTypes = map[framing.Format]string{
	framing.SSE: streams.ContentSSE, framing.NDJSON: streams.ContentNDJSON, framing.JSON: streams.ContentJSON,
	framing.EventStream: streams.ContentEventStream,
}

// piece is a stretch of a stream, cut to be one frame.
type piece struct {
	frame  *streams.Frame
	stored uint64 // sequence under which the log has it already; 0 if it has not
	held   int    // bytes taken out of the budget
}

// cutter gathers the units of a stream and decides where frames end: at FrameBytes or FrameEventsMax, so that the same
// bytes are always cut the same way; but where the log has frames of the stream, wherever those end, so that each is
// recognised however it was cut. Its memory is bounded by one frame, or one event that is larger.
type cutter struct {
	opts   *Options
	counts map[uint64][]int // of the stored frames, by position

	arrival  time.Time // of what is added; zero: now
	begun    time.Time // when the first bytes of body arrived
	position uint64    // of the first event of body
	count    int       // events in body
	body     []byte
}

func newCutter(opts *Options) *cutter {
	c := &cutter{opts: opts, position: opts.Position, counts: map[uint64][]int{}}
	for _, s := range opts.Stored {
		c.counts[s.Position] = append(c.counts[s.Position], s.Count)
	}
	return c
}

// before cuts the frame that has to end before u; nil if u may join it.
func (c *cutter) before(u framing.Unit) *piece {
	size, count := len(c.body)+len(u.Raw), c.count+u.Events
	if size <= c.opts.Limits.FrameBytes && count <= FrameEventsMax || size <= c.opts.Limits.EventBytes && c.storedIsLonger() {
		return nil
	}
	return c.cut()
}

// add appends u to the frame and cuts it if it is full or is a stored one; else it returns nil.
func (c *cutter) add(u framing.Unit) *piece {
	if len(c.body) == 0 {
		if c.begun = c.arrival; c.begun.IsZero() {
			c.begun = time.Now()
		}
	}
	c.body = append(c.body, u.Raw...)
	c.count += u.Events
	if u.Events > 0 && slices.Contains(c.counts[c.position], c.count) {
		if _, stored := c.opts.Stored[c.frame().ID()]; stored {
			return c.cut()
		}
	}
	if full := len(c.body) >= c.opts.Limits.FrameBytes || c.count >= FrameEventsMax; full && !c.storedIsLonger() {
		return c.cut()
	}
	return nil
}

// cut ends the frame; nil if there is none.
func (c *cutter) cut() *piece {
	if len(c.body) == 0 {
		return nil
	}
	p := &piece{frame: c.frame()}
	if len(c.opts.Stored) > 0 {
		p.stored = c.opts.Stored[p.frame.ID()].Seq
	}
	if c.opts.Positions != nil {
		p.frame.Position = c.opts.Positions.take(c.count)
	}
	c.position += uint64(c.count)
	c.count = 0
	c.body = make([]byte, 0, min(len(c.body), c.opts.Limits.FrameBytes)) // the next frame is likely as large
	return p
}

func (c *cutter) frame() *streams.Frame {
	f := &streams.Frame{
		Source: c.opts.Source, Workflow: c.opts.Workflow, ContentType: contentTypes[c.opts.Format], Stream: c.opts.Stream,
		Map: c.opts.Map, Exchange: c.opts.Exchange, Side: c.opts.Side, Position: c.position, Count: c.count, Captured: c.opts.Captured, Body: c.body,
	}
	if f.Captured.IsZero() {
		f.Captured = c.begun
	}
	if c.opts.Shed != nil {
		f.Shed = c.opts.Shed()
	}
	return f
}

// storedIsLonger reports whether the log has a frame that begins where this one does and has more events.
func (c *cutter) storedIsLonger() bool {
	return slices.ContainsFunc(c.counts[c.position], func(n int) bool { return n > c.count })
}
