package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"assay/internal/query"
)

func (a *api) promotions(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("watch") == "true" {
		a.watchPromotions(w, r)
		return
	}
	limit, err1 := number(r, "limit")
	newest, err2 := truth(r, "newest")
	if err := errors.Join(err1, err2); err != nil {
		a.answer(w, nil, err)
		return
	}
	params := r.URL.Query()
	found, err := a.View.Promotions(r.Context(), query.PromotionsRequest{
		State: params.Get("state"), Newest: newest, Limit: limit, Cursor: params.Get("cursor"),
	})
	a.answer(w, found, err)
}

func (a *api) promotion(w http.ResponseWriter, r *http.Request) {
	found, err := a.View.Promotion(r.Context(), r.PathValue("id"))
	a.answer(w, found, err)
}

func (a *api) retryRejected(w http.ResponseWriter, r *http.Request) {
	if state := r.URL.Query().Get("state"); state != query.StateRejected {
		a.answer(w, nil, fmt.Errorf("%w: all of a state can be retried with ?state=rejected, not %q", query.ErrRequest, state))
		return
	}
	n, err := a.View.RetryRejected(r.Context())
	a.answer(w, query.Steered{Retried: n}, err)
}

func (a *api) retryPromotion(w http.ResponseWriter, r *http.Request) {
	a.answer(w, query.Steered{Retried: 1}, a.View.RetryPromotion(r.Context(), r.PathValue("id")))
}

func (a *api) rejectPromotion(w http.ResponseWriter, r *http.Request) {
	var rejection query.Rejection
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&rejection); err != nil {
		a.answer(w, nil, fmt.Errorf("%w: send {\"reason\": \"…\"}: %w", query.ErrRequest, err))
		return
	}
	a.answer(w, query.Steered{Rejected: 1}, a.View.RejectPromotion(r.Context(), r.PathValue("id"), rejection.Reason))
}

// watchPromotions writes one line of JSON for each promotion that is pending or rejected, then for each change.
func (a *api) watchPromotions(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_ = out.Flush() // a client that is gone is noticed at the first line
	ctx, cancel := untilStop(r)
	defer cancel()
	lines := json.NewEncoder(w)
	for changed, err := range a.View.WatchPromotions(ctx) {
		if err == nil {
			err = lines.Encode(changed)
		}
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			a.Logger.Debug("api: watch ended", "error", err)
			return
		}
	}
}
