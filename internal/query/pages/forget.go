package pages

import (
	"fmt"
	"net/http"

	"assay/internal/query"
)

// forgetPage tells what forgetting a workflow would remove, or what it has removed.
type forgetPage struct {
	WorkflowID string                 `json:"workflow_id"`
	Summary    *query.WorkflowSummary `json:"summary,omitempty"`
	Entities   int64                  `json:"entities"`
	Events     int64                  `json:"events"`
	Promotions int                    `json:"promotions"` // that are not published yet
	Done       *query.Forgetting      `json:"done,omitempty"`
	Erased     bool                   `json:"-"` // its frames in the log, too
}

func (s *site) forget(r *http.Request) (*page, error) {
	id := r.URL.Query().Get("id")
	if id == "" {
		return nil, fmt.Errorf("%w: name a workflow: ?id=…", query.ErrRequest)
	}
	found, err := s.View.Rehydrate(r.Context(), id, query.RehydrateOptions{Limit: 1})
	if err != nil {
		return nil, err
	}
	p := forgetPage{WorkflowID: id, Entities: found.EntitiesTotal, Events: found.Events}
	for _, promotion := range found.Promotions {
		if promotion.State != query.StatePublished {
			p.Promotions++
		}
	}
	told, err := s.View.Conversation(r.Context(), id, query.ConversationRequest{Limit: 1})
	if err != nil {
		return nil, err
	}
	p.Summary = told.Summary
	return &page{Template: "forget", Title: "Forget this workflow?", Section: "workflows", Data: p}, nil
}

// runForget forgets a workflow and tells what was removed.
func (s *site) runForget(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	id := r.PostForm.Get("id")
	s.serve(func(r *http.Request) (*page, error) {
		if id == "" || !r.PostForm.Has("sure") {
			return nil, fmt.Errorf("%w: name a workflow, and say that you are sure", query.ErrRequest)
		}
		bronze := r.PostForm.Has("bronze")
		done, err := s.View.Forget(r.Context(), id, query.ForgetOptions{Bronze: bronze, Abandon: r.PostForm.Has("abandon"), By: "page " + r.RemoteAddr})
		if err != nil {
			return nil, err
		}
		return &page{Template: "forget", Title: "Forgotten", Section: "workflows", Data: forgetPage{WorkflowID: id, Done: done, Erased: bronze}}, nil
	}).ServeHTTP(w, r)
}
