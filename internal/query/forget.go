package query

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ForgetOptions say how far forgetting goes.
type ForgetOptions struct {
	Bronze  bool   // erase the workflow's frames in the log, too
	Abandon bool   // give up promotions that are not published yet
	By      string // who asks, for those who come later
}

// Forgetting tells what was removed of a workflow.
type Forgetting struct {
	WorkflowID string    `json:"workflow_id"`
	Spellings  []string  `json:"spellings"` // under which it was stored: identities do not tell them apart
	Through    uint64    `json:"through"`   // last frame of the log that is forgotten; what is captured later is new
	At         time.Time `json:"at"`
	Events     uint64    `json:"events"`
	Entities   uint64    `json:"entities"`
	Promotions int       `json:"promotions"`
	Letters    int       `json:"dead_letters"`
	Frames     uint64    `json:"frames"`    // in the log, with events of no other workflow
	Shared     uint64    `json:"shared"`    // frames with events of others, too, that are still in the log
	Rewritten  uint64    `json:"rewritten"` // such frames that were written again without the workflow's events
	Erased     int       `json:"erased"`    // frames, those written again included
}

// Forget implements View.
func (l *Local) Forget(ctx context.Context, workflow string, opts ForgetOptions) (*Forgetting, error) {
	return l.Operations.Forget(ctx, workflow, opts)
}

// Forget implements View. It may take as long as the server takes to read its log.
func (r *Remote) Forget(ctx context.Context, workflow string, opts ForgetOptions) (*Forgetting, error) {
	patient := *r.client
	patient.Timeout = 0
	query := url.Values{
		"bronze": {strconv.FormatBool(opts.Bronze)}, "abandon": {strconv.FormatBool(opts.Abandon)}, "by": {opts.By},
	}
	response, err := r.send(ctx, &patient, http.MethodDelete, "/v1/workflows/"+url.PathEscape(workflow)+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	var report Forgetting
	return &report, r.decode(response, &report)
}
