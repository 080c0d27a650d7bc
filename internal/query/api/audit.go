package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"assay/internal/ops/audit"
	"assay/internal/query"
	"assay/streams"
)

// Auditor compares what is served with the log, and the log with its chain of hashes, while both go on. An app.Pipeline does.
type Auditor interface {
	Audit(ctx context.Context, workflow string, listMax int, progress func(done, total uint64)) (*audit.Report, error)
	VerifyChain(ctx context.Context, anchors []streams.Anchor, progress func(done, total uint64)) (*streams.ChainReport, error)
	Checkpoints(ctx context.Context) ([]streams.Checkpoint, error)
}

// progressEvery is how often a client is told how far its audit has come.
const progressEvery = 200 * time.Millisecond

// audit answers POST /v1/audit?workflow=W&list=N, or ?chain=true&anchor=SEQUENCE:LINK…, with view.AuditLine values, one a line:
// progress, and at the end a report or an error. A client that goes away ends the audit.
func (a *api) audit(w http.ResponseWriter, r *http.Request) {
	run, err := a.auditAsked(r)
	if err != nil {
		a.answer(w, nil, err)
		return
	}
	ctx, cancel := untilStop(r)
	defer cancel()
	out, begun := json.NewEncoder(w), time.Time{}
	tell := func(line query.AuditLine) {
		if begun.IsZero() {
			w.Header().Set("Content-Type", streams.ContentNDJSON)
		}
		begun = time.Now()
		if out.Encode(line) != nil || http.NewResponseController(w).Flush() != nil {
			cancel() // the client is gone
		}
	}
	last, err := run(ctx, func(done, total uint64) {
		if time.Since(begun) >= progressEvery {
			tell(query.AuditLine{Progress: &query.AuditProgress{Done: done, Total: total}})
		}
	})
	switch {
	case err == nil:
		tell(last)
	case begun.IsZero():
		a.answer(w, nil, err)
	default: // the status has gone out
		tell(query.AuditLine{Error: err.Error()})
	}
}

// auditAsked is the audit that a request asks for.
func (a *api) auditAsked(r *http.Request) (func(context.Context, func(done, total uint64)) (query.AuditLine, error), error) {
	params := r.URL.Query()
	listMax, err := number(r, "list")
	if err != nil {
		return nil, err
	}
	if !params.Has("list") {
		listMax = audit.DefaultListMax
	}
	var anchors []streams.Anchor
	for _, text := range params["anchor"] {
		anchor, err := streams.ParseAnchor(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", query.ErrRequest, err)
		}
		anchors = append(anchors, anchor)
	}
	if params.Get("chain") != "" || len(anchors) > 0 {
		return func(ctx context.Context, progress func(done, total uint64)) (query.AuditLine, error) {
			report, err := a.Audit.VerifyChain(ctx, anchors, progress)
			return query.AuditLine{Chain: report}, err
		}, nil
	}
	return func(ctx context.Context, progress func(done, total uint64)) (query.AuditLine, error) {
		report, err := a.Audit.Audit(ctx, params.Get("workflow"), listMax, progress)
		return query.AuditLine{Report: report}, err
	}, nil
}

func (a *api) checkpoints(w http.ResponseWriter, r *http.Request) {
	kept, err := a.Audit.Checkpoints(r.Context())
	a.answer(w, kept, err)
}
