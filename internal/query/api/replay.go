package api

import (
	"net/http"

	"assay/internal/query/replay"
	"assay/streams"
)

// Replay answers GET /v1/replay?subject=S…&stream=ID&from_seq=N&to_seq=N&from=T&to=T&speed=X with the bytes of the selected
// frames, as they were captured.
func Replay(log *streams.Log) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		selection, err := replay.ParseQuery(r.URL.Query())
		if err != nil {
			respond(w, http.StatusBadRequest, failure{err.Error()})
			return
		}
		ctx, cancel := untilStop(r)
		defer cancel()
		if err := replay.Answer(w, r.WithContext(ctx), log, selection); err != nil {
			respond(w, http.StatusInternalServerError, failure{err.Error()})
		}
	})
}
