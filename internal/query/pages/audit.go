package pages

import (
	"context"
	"net/http"
	"time"

	"assay/internal/ops/audit"
	"assay/streams"
)

// auditPage is the form, and what an audit found.
type auditPage struct {
	Workflow    string               `json:"workflow,omitempty"`
	Checkpoints int                  `json:"checkpoints"`
	Newest      *streams.Checkpoint  `json:"newest_checkpoint,omitempty"`
	Report      *audit.Report        `json:"report,omitempty"`
	Chain       *streams.ChainReport `json:"chain,omitempty"`
	Error       string               `json:"error,omitempty"`
}

func (s *site) audit(r *http.Request) (*page, error) {
	p := auditPage{Workflow: r.URL.Query().Get("workflow")}
	kept, err := s.Audit.Checkpoints(r.Context())
	if err != nil {
		return nil, err
	}
	if p.Checkpoints = len(kept); p.Checkpoints > 0 {
		p.Newest = &kept[p.Checkpoints-1]
	}
	return &page{Template: "audit", Title: "Audit", Section: "audit", Data: p}, nil
}

// auditEvery is how often a running audit tells how far it is.
const auditEvery = 500 * time.Millisecond

// progress is how far an audit has come.
type progress struct{ Done, Total uint64 }

// runAudit answers with a page that grows: its head, how far the audit is, then what was found. Who leaves ends the audit.
func (s *site) runAudit(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	p := auditPage{Workflow: r.PostForm.Get("workflow")}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := s.templates["audited"]
	show := func(part string, data any) {
		if err := out.ExecuteTemplate(w, part, data); err != nil || http.NewResponseController(w).Flush() != nil {
			cancel() // the reader is gone
		}
	}
	shown := time.Time{}
	tell := func(done, total uint64) {
		if time.Since(shown) >= auditEvery {
			show("progress", progress{done, total})
			shown = time.Now()
		}
	}
	head := &page{Template: "audited", Title: "Audit", Section: "audit", Data: p}
	s.dress(head)
	show("head", head)
	var err error
	if r.PostForm.Has("chain") {
		p.Chain, err = s.Audit.VerifyChain(ctx, nil, tell)
	} else {
		p.Report, err = s.Audit.Audit(ctx, p.Workflow, audit.DefaultListMax, tell)
	}
	if err != nil {
		p.Error = err.Error()
	}
	show("found", p)
}
