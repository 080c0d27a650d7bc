package capture

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// Defaults of a Handler.
const (
	// OpenStreamsMax is how many requests may be open at once.
	OpenStreamsMax = 1024
	// IdleMax is how long a client may be silent in the middle of a body. A client that has nothing to say keeps its
	// stream open with a comment (SSE) or a blank line (NDJSON).
	IdleMax = 2 * time.Minute
	// TimeMax is how long one body may take in all.
	TimeMax = 24 * time.Hour
	// UnfinishedBytesMax bounds the memory of unfinished events above FrameBytes, of all requests together.
	UnfinishedBytesMax = 64 << 20
	// closeGrace is how long what has arrived may take to become durable once its client has gone or a capture is to stop.
	closeGrace = 10 * time.Second
)

// HandlerOptions configure a Handler; zero values take the defaults.
type HandlerOptions struct {
	Publisher   Publisher
	Stored      Stored         // nil: nothing is stored
	End         End            // nil: streams begin at 0
	Shed        func() float64 // as in Options
	OpenStreams int            // limit; default OpenStreamsMax
	InFlight    int64          // limit, in bytes; default InFlightBytesMax
	Map         string         // as in Options, of state events whose request maps none
	Edge        string         // name of this edge, before the id of a stream whose positions it allots; "" if frames go nowhere else
	Limits      Limits
	Idle        time.Duration   // limit; default IdleMax
	Timeout     time.Duration   // limit on the time of one body; 0: none
	Stopping    context.Context // ends open bodies when it ends, as if they broke off; nil: never
	BodyBytes   int64           // limit on one body, decompressed; 0: none, for what streams on
}

// Handler answers POST /v1/ingest/{source}/{workflow}: it captures the body as it arrives, of any length, and answers
// with an Answer once all of it is durable, or with a Refusal. The path values source and workflow must be set.
//
// The request's headers, all optional:
//
//	Content-Type      text/event-stream, application/x-ndjson, application/json, application/cloudevents+json,
//	                  application/cloudevents-batch+json; or ce-* headers and any type (CloudEvents' binary mode)
//	Content-Encoding  gzip, zstd
//	Assay-Stream      id of the source stream, percent-encoded where needed; default: a new one
//	Assay-Position    position of the first event; default: behind what the log has of the stream, whose id then begins with the
//	                  name of the edge, if this is one: another edge allots the same positions
//	Assay-Resume      true: look up what the log has of the stream and publish only the rest
//	Assay-Map         which members of the user's own events hold what, such as workflow=session_id,intent=call_id; or the
//	                  parameter map of the URL; default: that of the settings
//	Assay-Exchange    id of the HTTP exchange that the body was part of
//	Assay-Side        client or server: the sender, of JSON-RPC
//	Assay-Time        when the body was captured, RFC 3339; default: as it arrives
//
// POST /v1/ingest takes frames of any streams (ContentFrames), as another Assay sends them, in the order of their bodies.
//
// GET answers which frames of the streams named by its parameters stream the log has: see inventory.
//
// A request that is sent again with the same stream and position is recognised: its events have the same identities,
// and within the log's duplicate window, or with Assay-Resume, not even its bytes are stored twice.
type Handler struct {
	opts       HandlerOptions
	open       chan struct{} // one element for each open request
	ends       *ends
	inFlight   *Budget
	unfinished *Budget
}

// NewHandler returns a Handler.
func NewHandler(opts HandlerOptions) *Handler {
	if opts.OpenStreams == 0 {
		opts.OpenStreams = OpenStreamsMax
	}
	if opts.InFlight == 0 {
		opts.InFlight = InFlightBytesMax
	}
	if opts.Idle == 0 {
		opts.Idle = IdleMax
	}
	opts.Limits = opts.Limits.Defaults()
	if opts.Stopping == nil {
		opts.Stopping = context.Background()
	}
	return &Handler{
		opts: opts, open: make(chan struct{}, opts.OpenStreams), ends: newEnds(opts.End),
		inFlight: NewBudget(opts.InFlight), unfinished: NewBudget(UnfinishedBytesMax),
	}
}

// ServeHTTP captures one body, or tells what is there.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case h.open <- struct{}{}:
		defer func() { <-h.open }()
	default:
		refuse(w, ErrBusy, nil)
		return
	}
	if r.Method == http.MethodGet {
		h.inventory(w, r)
		return
	}
	if r.PathValue("source") == "" {
		h.frames(w, r)
		return
	}
	ctx, cancel := outlive(r.Context())
	defer cancel()
	opts, err := h.options(ctx, r)
	if err != nil {
		refuse(w, err, nil)
		return
	}
	body, err := h.body(w, r)
	if err != nil {
		refuse(w, err, nil)
		return
	}
	defer body.Close()
	result, err := h.capture(ctx, opts, body)
	answer := &Answer{opts.Stream, result.First, result.Events, result.Frames, result.Sequence, result.Unfinished}
	if err != nil {
		refuse(w, err, answer)
		return
	}
	reply(w, http.StatusOK, answer)
}

// capture records the body. If it breaks off, its whole events are kept.
func (h *Handler) capture(ctx context.Context, opts Options, body io.Reader) (Result, error) {
	recorder := New(ctx, h.opts.Publisher, opts)
	readErr := pour(recorder, body)
	if readErr == nil {
		return recorder.Close(ctx)
	}
	result, err := recorder.Abandon(ctx)
	return result, errors.Join(readErr, err)
}

// outlive returns a context that ends closeGrace after ctx does.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(closeGrace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel(nil) }
}
