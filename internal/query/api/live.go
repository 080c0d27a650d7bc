package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"assay/streams"
)

// frameNotice is what a client of /v1/live is told of a frame.
type frameNotice struct {
	Sequence uint64 `json:"sequence"`
	Source   string `json:"source"`
	Workflow string `json:"workflow"`
	Stream   string `json:"stream"`
	Position uint64 `json:"position"`
	Events   int    `json:"events"`
}

// Live tells of every frame as the log takes it, as Server-Sent Events of type frame, from now until the client goes.
// A client that reconnects with Last-Event-ID misses nothing.
func Live(log *streams.Log, logger *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := firstNotice(r, log)
		if err != nil {
			respond(w, http.StatusInternalServerError, failure{err.Error()})
			return
		}
		out := http.NewResponseController(w)
		w.Header().Set("Content-Type", streams.ContentSSE)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusOK)
		_ = out.Flush() // a client that is gone is noticed at the first event
		ctx, cancel := untilStop(r)
		defer cancel()
		options := streams.ReplayOptions{FromSeq: from, HeadersOnly: true, Follow: true}
		for stored, err := range log.Replay(ctx, options) {
			if err != nil {
				logger.Debug("api: live client ended", "error", err)
				return
			}
			f := stored.Frame
			notice, err := json.Marshal(frameNotice{stored.Seq, string(f.Source), f.Workflow, f.Stream, f.Position, f.Count})
			if err == nil {
				_, err = fmt.Fprintf(w, "event: frame\nid: %d\ndata: %s\n\n", stored.Seq, notice)
			}
			if err != nil || out.Flush() != nil {
				return
			}
		}
	})
}

// stoppingKey is the key, in a request's context, of the context that ends when the server stops.
type stoppingKey struct{}

// untilStop is the context of an answer that has no end of its own: it ends when the client goes or the server stops.
func untilStop(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	stopping, ok := ctx.Value(stoppingKey{}).(context.Context)
	if !ok { // a Handler without a Server
		return ctx, cancel
	}
	detach := context.AfterFunc(stopping, cancel)
	return ctx, func() { detach(); cancel() }
}

// firstNotice is the sequence of the first frame to tell of.
func firstNotice(r *http.Request, log *streams.Log) (uint64, error) {
	var last uint64
	if _, err := fmt.Sscan(r.Header.Get("Last-Event-ID"), &last); err == nil {
		return last + 1, nil
	}
	info, err := log.Bronze().Info(r.Context())
	if err != nil {
		return 0, fmt.Errorf("read stream BRONZE: %w", err)
	}
	return info.State.LastSeq + 1, nil
}
