package api

import (
	"errors"
	"net/http"

	"assay/internal/query/replay"
	"assay/streams"
)

// Replay answers GET /v1/replay?subject=S…&stream=ID&from_seq=N&to_seq=N&from=T&to=T&speed=X&json=true with the bytes of the
// selected frames, as they were captured, or one JSON object a frame.
func Replay(log *streams.Log) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		selection, err := replay.ParseQuery(r.URL.Query())
		if err != nil {
			respond(w, http.StatusBadRequest, failure{err.Error()})
			return
		}
		ctx, cancel := untilStop(r)
		defer cancel()
		if err := replay.Answer(w, r.WithContext(ctx), log, selection); errors.Is(err, replay.ErrStream) {
			respond(w, http.StatusNotFound, failure{err.Error()})
		} else if err != nil {
			respond(w, http.StatusInternalServerError, failure{err.Error()})
		}
	})
}
