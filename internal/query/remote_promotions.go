package query

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

const promotionsPath = "/v1/promotions"

// Promotions implements View.
func (r *Remote) Promotions(ctx context.Context, request PromotionsRequest) (*PromotionList, error) {
	var list PromotionList
	return &list, r.get(ctx, promotionsPath, url.Values{
		"state": {request.State}, "newest": {strconv.FormatBool(request.Newest)}, "limit": {strconv.Itoa(request.Limit)}, "cursor": {request.Cursor},
	}, &list)
}

// Promotion implements View.
func (r *Remote) Promotion(ctx context.Context, id string) (*PromotionDetail, error) {
	var p PromotionDetail
	return &p, r.get(ctx, promotionsPath+"/"+url.PathEscape(id), nil, &p)
}

// Steered counts the promotions that a request to retry or reject changed.
type Steered struct {
	Retried  int `json:"retried"`
	Rejected int `json:"rejected"`
}

// Rejection is the body of a request to reject.
type Rejection struct {
	Reason string `json:"reason"`
}

// RetryPromotion implements View.
func (r *Remote) RetryPromotion(ctx context.Context, id string) error {
	return r.do(ctx, http.MethodPost, promotionsPath+"/"+url.PathEscape(id)+"/retry", nil, &Steered{})
}

// RetryRejected implements View.
func (r *Remote) RetryRejected(ctx context.Context) (int, error) {
	var done Steered
	err := r.do(ctx, http.MethodPost, promotionsPath+"/retry?state="+StateRejected, nil, &done)
	return done.Retried, err
}

// RejectPromotion implements View.
func (r *Remote) RejectPromotion(ctx context.Context, id, reason string) error {
	body, err := json.Marshal(Rejection{Reason: reason})
	if err != nil {
		return err
	}
	return r.do(ctx, http.MethodPost, promotionsPath+"/"+url.PathEscape(id)+"/reject", bytes.NewReader(body), &Steered{})
}

// WatchPromotions implements View.
func (r *Remote) WatchPromotions(ctx context.Context) iter.Seq2[*PromotionDetail, error] {
	return func(yield func(*PromotionDetail, error) bool) {
		patient := *r.client
		patient.Timeout = 0 // the answer goes on until ctx ends
		response, err := r.send(ctx, &patient, http.MethodGet, promotionsPath+"?watch=true", nil)
		if err != nil {
			yield(nil, err)
			return
		}
		defer response.Body.Close()
		for lines := json.NewDecoder(response.Body); ; {
			var p PromotionDetail
			switch err := lines.Decode(&p); {
			case ctx.Err() != nil:
				return
			case errors.Is(err, io.EOF):
				yield(nil, fmt.Errorf("%w: %s ended the watch", ErrServer, r.base))
				return
			case err != nil:
				yield(nil, fmt.Errorf("%w: the watch of %s broke off: %w", ErrServer, r.base, err))
				return
			case !yield(&p, nil):
				return
			}
		}
	}
}
