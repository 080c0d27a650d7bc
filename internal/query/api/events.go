package api

import (
	"bytes"
	"net/http"

	"assay/streams"
)

// event answers GET /v1/events/{id} with an event as it was captured, and ?proof=true with what proves it.
func (a *api) event(w http.ResponseWriter, r *http.Request) {
	proof, err := truth(r, "proof")
	switch {
	case err != nil:
		a.answer(w, nil, err)
	case proof:
		a.prove(w, r)
	default:
		found, err := a.View.Event(r.Context(), r.PathValue("id"))
		a.answer(w, found, err)
	}
}

func (a *api) prove(w http.ResponseWriter, r *http.Request) {
	var out bytes.Buffer // bounded by what one proof may have; an error must come before the first byte
	if err := a.View.Prove(r.Context(), &out, r.PathValue("id")); err != nil {
		a.answer(w, nil, err)
		return
	}
	w.Header().Set("Content-Type", streams.ContentNDJSON)
	if _, err := w.Write(out.Bytes()); err != nil {
		a.Logger.Debug("api: the client went away", "error", err)
	}
}

func (a *api) settled(w http.ResponseWriter, r *http.Request) {
	found, err := a.View.Settled(r.Context())
	a.answer(w, found, err)
}
