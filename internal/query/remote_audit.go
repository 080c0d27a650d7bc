package query

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"assay/internal/ops/audit"
	"assay/streams"
)

// AuditLine is a line of the answer of POST /v1/audit; one of its members is set.
type AuditLine struct {
	Progress *AuditProgress       `json:"progress,omitempty"`
	Report   *audit.Report        `json:"report,omitempty"` // the last line
	Chain    *streams.ChainReport `json:"chain,omitempty"`  // the last line
	Error    string               `json:"error,omitempty"`  // the last line
}

// AuditProgress tells how many frames of how many are audited.
type AuditProgress struct {
	Done  uint64 `json:"done"`
	Total uint64 `json:"total"`
}

// Audit has the server compare its tables with its log. If ctx ends, so does the audit there.
func (r *Remote) Audit(ctx context.Context, workflow string, listMax int, progress func(done, total uint64)) (*audit.Report, error) {
	last, err := r.audit(ctx, url.Values{"workflow": {workflow}, "list": {strconv.Itoa(listMax)}}, progress)
	return last.Report, err
}

// VerifyChain has the server compare its log with its chain of hashes.
func (r *Remote) VerifyChain(
	ctx context.Context, anchors []streams.Anchor, progress func(done, total uint64),
) (*streams.ChainReport, error) {
	query := url.Values{"chain": {"true"}}
	for _, anchor := range anchors {
		query.Add("anchor", anchor.String())
	}
	last, err := r.audit(ctx, query, progress)
	return last.Chain, err
}

// Checkpoints returns those of the log's chain.
func (r *Remote) Checkpoints(ctx context.Context) ([]streams.Checkpoint, error) {
	var kept []streams.Checkpoint
	return kept, r.get(ctx, "/v1/audit/checkpoints", nil, &kept)
}

func (r *Remote) audit(ctx context.Context, query url.Values, progress func(done, total uint64)) (last AuditLine, err error) {
	patient := *r.client
	patient.Timeout = 0 // the answer takes as long as the audit
	response, err := r.send(ctx, &patient, http.MethodPost, "/v1/audit?"+query.Encode(), nil)
	if ctx.Err() != nil {
		return last, context.Cause(ctx)
	}
	if err != nil {
		return last, err
	}
	defer response.Body.Close()
	for lines := json.NewDecoder(response.Body); ; {
		var line AuditLine
		switch err := lines.Decode(&line); {
		case ctx.Err() != nil:
			return last, context.Cause(ctx)
		case err != nil:
			return last, fmt.Errorf("%w: %s broke the audit off: %w", ErrServer, r.base, err)
		case line.Error != "":
			return last, fmt.Errorf("%w: %s: %s", ErrServer, r.base, line.Error)
		case line.Progress == nil:
			return line, nil
		}
		progress(line.Progress.Done, line.Progress.Total)
	}
}
