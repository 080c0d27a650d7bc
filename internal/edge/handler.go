package edge

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"assay/internal/capture"
	"assay/streams"
)

const (
	// writersMax is how many edges a Handler remembers the ends of; that of another one is looked up.
	writersMax = 1024
	// roomBytes bounds the bodies that are taken at a time.
	roomBytes = 2 * bodyBytesMax
	// bodyTimeout is how long a body may take to arrive.
	bodyTimeout = time.Minute
)

// Handler answers GET and POST /v1/forward/{edge} for the edges of a hub: what its log has of an edge last, and frames that come
// behind it. The path value edge must be set.
type Handler struct {
	log    *streams.Log
	decode Decode
	room   *semaphore.Weighted

	mu      sync.Mutex // guards what follows
	writers map[string]*list.Element
	recent  list.List // of *edgeWriter, the one used last in front
}

type edgeWriter struct {
	edge string
	*streams.EdgeWriter
}

// NewHandler returns a Handler of a log.
func NewHandler(log *streams.Log, decode Decode) *Handler {
	return &Handler{log: log, decode: decode, room: semaphore.NewWeighted(roomBytes), writers: map[string]*list.Element{}}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := h.serve(w, r)
	status := http.StatusOK
	if err != nil {
		var refusal capture.Refusal
		if status, refusal = capture.RefusalOf(err); errors.Is(err, ErrBody) {
			status, refusal.Remedy = http.StatusBadRequest, "this is for other Assay nodes, of the same version"
		}
		a.Error, a.Remedy = refusal.Error, refusal.Remedy
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a) // that it may not arrive is the edge's to find out
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) (a answer, err error) {
	writer, err := h.writer(r.PathValue("edge"))
	if err != nil {
		return a, err
	}
	a.Log = h.log.ID()
	if r.Method == http.MethodPost {
		a.Refused, err = h.take(w, r, writer)
		return a, err
	}
	a.End, err = writer.End(r.Context())
	return a, err
}

// take stores the frames of a body.
func (h *Handler) take(w http.ResponseWriter, r *http.Request, writer *streams.EdgeWriter) (refused int, err error) {
	if r.ContentLength < 0 || r.ContentLength > bodyBytesMax {
		return 0, fmt.Errorf("%w: it must have a length, of up to %d bytes", ErrBody, bodyBytesMax)
	}
	if !h.room.TryAcquire(r.ContentLength) {
		return 0, fmt.Errorf("%w: other edges are sending", capture.ErrBusy)
	}
	defer h.room.Release(r.ContentLength)
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // without, the client's own limits hold
	msgs, err := readMsgs(http.MaxBytesReader(w, r.Body, bodyBytesMax))
	if err != nil {
		return 0, err
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return appendTaken(context.WithoutCancel(r.Context()), h.log, writer, h.decode, msgs)
}

// writer is that of an edge, which knows what the log has of it last.
func (h *Handler) writer(edge string) (*streams.EdgeWriter, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.writers[edge]; known != nil {
		h.recent.MoveToFront(known)
		return known.Value.(*edgeWriter).EdgeWriter, nil
	}
	writer, err := h.log.EdgeWriter(edge)
	if err != nil {
		return nil, err
	}
	h.writers[edge] = h.recent.PushFront(&edgeWriter{edge, writer})
	if h.recent.Len() > writersMax {
		delete(h.writers, h.recent.Remove(h.recent.Back()).(*edgeWriter).edge)
	}
	return writer, nil
}
