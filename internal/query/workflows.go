package query

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// WorkflowView lists workflows and tells what was said in one.
type WorkflowView interface {
	// Workflows returns a page of workflows, the last active first. ErrRequest if the request contradicts itself.
	Workflows(ctx context.Context, request WorkflowsRequest) (*WorkflowList, error)
	// Conversation returns a page of what was said and done in a workflow. ErrNotFound if nothing is known of it.
	Conversation(ctx context.Context, workflow string, request ConversationRequest) (*Conversation, error)
}

// WorkflowsRequest asks for a page of the list of workflows.
type WorkflowsRequest struct {
	Since  time.Time // only those active since then
	Agent  string    // only those of this agent
	Words  string    // only those that have all these words in title, id, agents or models
	Errors bool      // only those with errors
	Limit  int       // of one page; 0: DefaultWorkflows
	Cursor string    // WorkflowList.Next of the page before
}

// WorkflowList is a page of workflows.
type WorkflowList struct {
	Workflows []WorkflowSummary `json:"workflows"`
	Next      string            `json:"next,omitempty"` // cursor of the next page, "" if there is none
}

// WorkflowSummary is what a list shows of a workflow.
type WorkflowSummary struct {
	WorkflowID      string    `json:"workflow_id"`
	Title           string    `json:"title,omitempty"` // told by an event, else the beginning of what was said first
	Agents          []string  `json:"agents,omitempty"`
	Models          []string  `json:"models,omitempty"`
	FirstAt         time.Time `json:"first_at"`
	LastAt          time.Time `json:"last_at"` // when what came last began
	Messages        int64     `json:"messages"`
	Calls           int64     `json:"calls"` // of models, tools and methods
	Errors          int64     `json:"errors"`
	OpenCalls       int64     `json:"open_calls"`
	InputTokens     int64     `json:"input_tokens"`
	OutputTokens    int64     `json:"output_tokens"`
	CachedTokens    int64     `json:"cached_tokens,omitempty"`    // of the input
	ReasoningTokens int64     `json:"reasoning_tokens,omitempty"` // of the output
	CostUSD         float64   `json:"cost_usd,omitempty"`         // of what has a price
}

// ConversationRequest asks for a page of a conversation.
type ConversationRequest struct {
	Limit    int       // turns of one page; 0: DefaultTurns
	Cursor   string    // Conversation.Next of the page before
	Backward bool      // from the last turn on
	At       time.Time // as of then; zero: as it is now
}

// Conversation is a page of what was said and done in a workflow: messages, calls with their answers, observations.
type Conversation struct {
	WorkflowID string           `json:"workflow_id"`
	Summary    *WorkflowSummary `json:"summary,omitempty"` // of all of it, as it is now
	Turns      []Turn           `json:"turns"`             // in the order in which they began, or from the last back
	Next       string           `json:"next,omitempty"`    // cursor of the next page, "" if there is none
}

// Limits of lists and conversations.
const (
	DefaultWorkflows = 50
	DefaultTurns     = 100
	maxWorkflowPage  = 1_000
	maxTurnPage      = 1_000
	maxTurnBytes     = 8 << 20 // of texts, after which a page ends
	maxWords         = 16
)

// Histories is what a Local reads lists and conversations from: internal/app/histories.go. Its errors wrap ErrRequest for a cursor that is none.
type Histories interface {
	Workflows(ctx context.Context, cursor string, since time.Time, limit int, accept func(*WorkflowSummary) bool) ([]WorkflowSummary, string, error)
	// Summary is what a list shows of a workflow, nil if nothing is known of it.
	Summary(ctx context.Context, workflow string) (*WorkflowSummary, error)
	// Names passes the names of workflows to use until it returns false.
	Names(ctx context.Context, use func(name string) (more bool)) error
	Conversation(ctx context.Context, workflow string, request ConversationRequest, maxBytes int) ([]Entity, string, error)
}

// Workflows implements View.
func (l *Local) Workflows(ctx context.Context, request WorkflowsRequest) (*WorkflowList, error) {
	words := strings.Fields(strings.ToLower(request.Words))
	if len(words) > maxWords {
		return nil, fmt.Errorf("%w: at most %d words are looked for, not %d", ErrRequest, maxWords, len(words))
	}
	limit := clamp(request.Limit, DefaultWorkflows, maxWorkflowPage)
	page, next, err := l.Histories.Workflows(ctx, request.Cursor, request.Since, limit, func(w *WorkflowSummary) bool {
		return (!request.Errors || w.Errors > 0) && w.has(request.Agent) && w.says(words)
	})
	if err != nil {
		return nil, err
	}
	if page == nil {
		page = []WorkflowSummary{}
	}
	return &WorkflowList{page, next}, nil
}

// has tells whether an agent, "" for any, took part.
func (w *WorkflowSummary) has(agent string) bool {
	if agent == "" {
		return true
	}
	for _, name := range w.Agents {
		if strings.EqualFold(name, agent) {
			return true
		}
	}
	return false
}

// says tells whether every one of the words, in lower case, is in what the summary says.
func (w *WorkflowSummary) says(words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(strings.Join(append(append([]string{w.WorkflowID, w.Title}, w.Agents...), w.Models...), "\n"))
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
