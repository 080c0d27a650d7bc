package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"assay/internal/query"
)

// workflowBook is a View that knows one workflow and remembers what it was asked.
type workflowBook struct {
	query.View
	listed query.WorkflowsRequest
	told   query.ConversationRequest
}

const odd = "a b/c?d"

func (b *workflowBook) Workflows(_ context.Context, r query.WorkflowsRequest) (*query.WorkflowList, error) {
	b.listed = r
	return &query.WorkflowList{Workflows: []query.WorkflowSummary{{WorkflowID: odd, Title: "t", Calls: 3}}, Next: "more"}, nil
}

func (b *workflowBook) Conversation(_ context.Context, workflow string, r query.ConversationRequest) (*query.Conversation, error) {
	if b.told = r; workflow != odd {
		return nil, fmt.Errorf("%w: workflow %q", query.ErrNotFound, workflow)
	}
	return &query.Conversation{WorkflowID: workflow, Turns: []query.Turn{{Entity: query.Entity{Text: "hello", Reasoning: "hm"}, Speaker: "user"}}}, nil
}

// Asked over HTTP, workflows and conversations are what they are locally, errors included.
func TestWorkflows(t *testing.T) {
	book := &workflowBook{}
	s := httptest.NewServer(handler(t, options(book)))
	defer s.Close()
	defer http.DefaultClient.CloseIdleConnections()
	remote, at := query.NewRemote(s.URL, ""), time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	wanted := query.WorkflowsRequest{Since: at, Agent: "a&b", Words: "x y", Errors: true, Limit: 7, Cursor: "c"}
	list, err := remote.Workflows(t.Context(), wanted)
	if err != nil || book.listed != wanted || list.Next != "more" || list.Workflows[0].WorkflowID != odd || list.Workflows[0].Calls != 3 {
		t.Errorf("%+v listed %+v, error %v", book.listed, list, err)
	}
	asked := query.ConversationRequest{Limit: 3, Cursor: "d", Backward: true, At: at}
	told, err := remote.Conversation(t.Context(), odd, asked)
	if err != nil || book.told != asked || told.Turns[0].Text != "hello" || told.Turns[0].Reasoning != "hm" || told.Turns[0].Speaker != "user" {
		t.Errorf("%+v told %+v, error %v", book.told, told, err)
	}
	if _, err := remote.Conversation(t.Context(), "other", asked); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestParameters(t *testing.T) {
	for target, status := range map[string]int{
		"/v1/workflows?since=1h&limit=2":               200,
		"/v1/workflows?since=yesterday":                400,
		"/v1/workflows?limit=-1":                       400,
		"/v1/workflows?errors=some":                    400,
		"/v1/workflows/a%20b%2Fc%3Fd/conversation":     200,
		"/v1/workflows/none/conversation":              404,
		"/v1/workflows/none/conversation?at=yesterday": 400,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		r.Host = "localhost"
		answer := httptest.NewRecorder()
		handler(t, options(&workflowBook{})).ServeHTTP(answer, r)
		if answer.Code != status {
			t.Errorf("%s: %d %s, want %d", target, answer.Code, answer.Body, status)
		}
	}
}
