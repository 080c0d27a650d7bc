package mcp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"assay/internal/query"
)

// Limits of answers.
const (
	defaultHits    = 8
	maxHits        = 100
	maxRanked      = 500 // hits that pages of one question reach
	defaultBudget  = 4_000
	maxBudget      = 100_000
	hitTokens      = 60 // of a hit besides its text
	defaultListed  = 20
	maxListed      = 200
	maxRawBytes    = 256 << 10
	snippetTokens  = 40
	maxRemembered  = 256 << 10 // bytes of a text
	rememberedFlow = "remembered"
)

// reach says how far an answer reaches, and what its texts are.
type reach struct {
	query.Settled
	Notice string `json:"notice"`
}

func (m *memory) reach(ctx context.Context) (reach, error) {
	settled, err := m.View.Settled(ctx)
	return reach{settled, notice}, err
}

type recallInput struct {
	Query        string `json:"query"`
	Workflow     string `json:"workflow"`
	Agent        string `json:"agent"`
	Kind         string `json:"kind"`
	Since        string `json:"since"`
	Cursor       string `json:"cursor"`
	Limit        int    `json:"limit"`
	BudgetTokens int    `json:"budget_tokens"`
}

// hit is a passage with its provenance.
type hit struct {
	Text          string    `json:"text"`
	Truncated     bool      `json:"truncated,omitempty"`
	Kind          string    `json:"kind"`
	At            time.Time `json:"at,omitzero"`
	WorkflowID    string    `json:"workflow_id"`
	AgentID       string    `json:"agent_id,omitempty"`
	Capability    string    `json:"capability,omitempty"`
	EntityUUID    string    `json:"entity_uuid"`
	EventUUID     string    `json:"event_uuid,omitempty"`
	StreamID      string    `json:"stream_id"`
	Position      int64     `json:"position"`
	BronzeSeq     int64     `json:"bronze_seq"`
	Score         float64   `json:"score"`
	Similarity    float64   `json:"similarity,omitempty"`
	BM25          float64   `json:"bm25,omitempty"`
	Repeats       int       `json:"repeats,omitempty"` // passages that say the same again
	QuarantinedBy string    `json:"quarantined_by,omitempty"`
}

type recallOutput struct {
	Hits []hit  `json:"hits"`
	Next string `json:"next,omitempty"`
	reach
}

func (m *memory) recall(ctx context.Context, in recallInput) (out recallOutput, err error) {
	since, err1 := query.ParseTime(in.Since, time.Now())
	from, err2 := offset(in.Cursor)
	if err := errors.Join(err1, err2); err != nil {
		return out, fmt.Errorf("%w: %w", query.ErrRequest, err)
	}
	if out.reach, err = m.reach(ctx); err != nil {
		return out, err
	}
	limit, budget := bounded(in.Limit, defaultHits, maxHits), bounded(in.BudgetTokens, defaultBudget, maxBudget)
	found, err := m.View.Recall(ctx, query.RecallRequest{
		Query: in.Query, Workflow: in.Workflow, Agent: in.Agent, Kind: in.Kind, After: since, Limit: min(from+limit+1, maxRanked),
	})
	if err != nil {
		return out, err
	}
	out.Hits = []hit{}
	for i := from; i < len(found); i++ {
		h := shown(&found[i])
		cost := hitTokens + query.Tokens(h.Text)
		if len(out.Hits) == limit || cost > budget && len(out.Hits) > 0 {
			out.Next = strconv.Itoa(i)
			break
		}
		if cost > budget {
			h.Text, h.Truncated = query.CutTokens(h.Text, max(budget-hitTokens, snippetTokens)), true
		}
		budget -= cost
		out.Hits = append(out.Hits, h)
	}
	return out, nil
}

func shown(h *query.Hit) hit {
	return hit{
		Text: h.Text, Kind: h.Kind, At: h.TS, WorkflowID: h.WorkflowID, AgentID: h.AgentID, Capability: h.Capability, EntityUUID: h.EntityUUID,
		StreamID: h.StreamID, Position: h.Position, Score: h.Score, Similarity: h.Similarity, BM25: h.BM25, QuarantinedBy: h.QuarantinedBy,
		EventUUID: h.EventUUID, BronzeSeq: h.BronzeSeq, Repeats: h.Repeats,
	}
}

type rehydrateInput struct {
	Workflow     string `json:"workflow"`
	BudgetTokens int    `json:"budget_tokens"`
}

type rehydrateOutput struct {
	*query.Briefing
	reach
}

func (m *memory) rehydrate(ctx context.Context, in rehydrateInput) (out rehydrateOutput, err error) {
	if out.Briefing, err = query.Brief(ctx, m.View, in.Workflow, in.BudgetTokens); err != nil {
		return out, err
	}
	out.reach, err = m.reach(ctx)
	return out, err
}

type idInput struct {
	ID string `json:"id"`
}

type getOutput struct {
	*query.Evidence
	Raw      string `json:"raw"`
	Encoding string `json:"encoding"` // of raw: text or base64
	Cut      bool   `json:"truncated,omitempty"`
	reach
}

func (m *memory) get(ctx context.Context, in idInput) (out getOutput, err error) {
	if out.Evidence, err = m.View.Event(ctx, in.ID); err != nil {
		return out, err
	}
	raw := out.Evidence.Raw
	out.Evidence.Raw = nil
	if len(raw) > maxRawBytes {
		raw, out.Cut = raw[:maxRawBytes], true
	}
	if out.Encoding, out.Raw = "text", string(raw); !utf8.Valid(raw) {
		out.Encoding, out.Raw = "text, with � for what is no UTF-8", strings.ToValidUTF8(out.Raw, "�")
	}
	out.reach, err = m.reach(ctx)
	return out, err
}

type workflowsInput struct {
	Query  string `json:"query"`
	Agent  string `json:"agent"`
	Since  string `json:"since"`
	Cursor string `json:"cursor"`
	Errors bool   `json:"errors"`
	Limit  int    `json:"limit"`
}

type workflowsOutput struct {
	*query.WorkflowList
	reach
}

func (m *memory) workflows(ctx context.Context, in workflowsInput) (out workflowsOutput, err error) {
	since, err := query.ParseTime(in.Since, time.Now())
	if err != nil {
		return out, fmt.Errorf("%w: %w", query.ErrRequest, err)
	}
	out.WorkflowList, err = m.View.Workflows(ctx, query.WorkflowsRequest{
		Since: since, Agent: in.Agent, Words: in.Query, Errors: in.Errors, Limit: bounded(in.Limit, defaultListed, maxListed), Cursor: in.Cursor,
	})
	if err != nil {
		return out, err
	}
	out.reach, err = m.reach(ctx)
	return out, err
}

type capabilitiesInput struct {
	Name   string `json:"name"`
	Since  string `json:"since"`
	Cursor string `json:"cursor"`
	Limit  int    `json:"limit"`
}

// use is what a capability was used for, over all hours that were asked for.
type use struct {
	Capability   string    `json:"capability"`
	Provider     string    `json:"provider,omitempty"`
	Kind         string    `json:"kind,omitempty"` // model, tool or method
	Calls        int64     `json:"calls"`
	Errors       int64     `json:"errors"`
	InputTokens  int64     `json:"input_tokens"`
	OutputTokens int64     `json:"output_tokens"`
	CostUSD      float64   `json:"cost_usd,omitempty"`
	LatencyP50   int64     `json:"latency_p50_us,omitempty"` // of its busiest hour
	LastHour     time.Time `json:"last_hour"`
	busiest      int64
}

type capabilitiesOutput struct {
	Capabilities []use  `json:"capabilities"`
	Next         string `json:"next,omitempty"`
	reach
}

func (m *memory) capabilities(ctx context.Context, in capabilitiesInput) (out capabilitiesOutput, err error) {
	since, err1 := query.ParseTime(in.Since, time.Now())
	from, err2 := offset(in.Cursor)
	if err := errors.Join(err1, err2); err != nil {
		return out, fmt.Errorf("%w: %w", query.ErrRequest, err)
	}
	found, err := m.View.Capabilities(ctx)
	if err != nil {
		return out, err
	}
	all := uses(slices.DeleteFunc(found, func(c query.Capability) bool {
		return c.Bucket.Before(since.Truncate(time.Hour)) || in.Name != "" && !strings.Contains(strings.ToLower(c.Capability), strings.ToLower(in.Name))
	}))
	from = min(from, len(all))
	to := min(from+bounded(in.Limit, defaultListed, maxListed), len(all))
	if out.Capabilities = all[from:to]; to < len(all) {
		out.Next = strconv.Itoa(to)
	}
	out.reach, err = m.reach(ctx)
	return out, err
}

// uses adds up hours, the most used first.
func uses(hours []query.Capability) []use {
	byName := map[[3]string]*use{}
	for _, c := range hours {
		name := [3]string{c.Capability, c.Provider, c.Kind}
		u := byName[name]
		if u == nil {
			u = &use{Capability: c.Capability, Provider: c.Provider, Kind: c.Kind}
			byName[name] = u
		}
		u.Calls, u.Errors = u.Calls+c.Calls, u.Errors+c.Errors
		u.InputTokens, u.OutputTokens = u.InputTokens+c.InputTokens, u.OutputTokens+c.OutputTokens
		u.CostUSD += c.CostUSD
		if c.Bucket.After(u.LastHour) {
			u.LastHour = c.Bucket
		}
		if c.Calls > u.busiest {
			u.busiest, u.LatencyP50 = c.Calls, c.LatencyP50
		}
	}
	all := make([]use, 0, len(byName))
	for _, u := range byName {
		all = append(all, *u)
	}
	slices.SortFunc(all, func(a, b use) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Capability, b.Capability), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Kind, b.Kind))
	})
	return all
}

type searchInput struct {
	Query string `json:"query"`
}

type searchResult struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

type searchOutput struct {
	Results []searchResult `json:"results"`
	reach
}

func (m *memory) search(ctx context.Context, in searchInput) (out searchOutput, err error) {
	found, err := m.recall(ctx, recallInput{Query: in.Query, Limit: defaultHits})
	if err != nil {
		return out, err
	}
	out.reach, out.Results = found.reach, []searchResult{}
	for _, h := range found.Hits {
		out.Results = append(out.Results, searchResult{
			h.EntityUUID, query.CutTokens(strings.Join(strings.Fields(h.Text), " "), snippetTokens), eventURI(h.EntityUUID),
		})
	}
	return out, nil
}

type fetchOutput struct {
	ID       string            `json:"id"`
	Title    string            `json:"title"`
	Text     string            `json:"text"`
	URL      string            `json:"url"`
	Metadata map[string]string `json:"metadata"`
}

func (m *memory) fetch(ctx context.Context, in idInput) (out fetchOutput, err error) {
	item, err := m.View.Item(ctx, in.ID)
	if err != nil {
		return out, err
	}
	text := cmp.Or(item.Answer, item.Text, item.Error)
	return fetchOutput{
		ID: in.ID, URL: eventURI(in.ID), Text: text, Title: query.CutTokens(strings.Join(strings.Fields(text), " "), snippetTokens),
		Metadata: map[string]string{
			"notice": notice, "workflow_id": item.WorkflowID, "kind": item.Kind, "speaker": item.Speaker, "status": item.Status,
			"at": item.At().Format(time.RFC3339Nano), "stream_id": item.StreamID, "quarantined_by": item.QuarantinedBy,
		},
	}, nil
}

type rememberInput struct {
	Text     string `json:"text"`
	Workflow string `json:"workflow"`
}

type rememberOutput struct {
	Stored     bool   `json:"stored"`
	WorkflowID string `json:"workflow_id"`
}

func (m *memory) remember(ctx context.Context, in rememberInput) (out rememberOutput, err error) {
	if strings.TrimSpace(in.Text) == "" || len(in.Text) > maxRemembered {
		return out, fmt.Errorf("%w: text must have 1 to %d bytes", query.ErrRequest, maxRemembered)
	}
	out.WorkflowID = cmp.Or(in.Workflow, rememberedFlow)
	err = m.Remember(ctx, out.WorkflowID, in.Text)
	out.Stored = err == nil
	return out, err
}

func bounded(n, otherwise, most int) int {
	if n <= 0 {
		return otherwise
	}
	return min(n, most)
}

// offset reads the cursor of a list that is ranked anew for each page.
func offset(cursor string) (int, error) {
	if cursor == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(cursor)
	if err != nil || n < 0 || n >= maxRanked {
		return 0, fmt.Errorf("cursor %q is none that a page ended with", cursor)
	}
	return n, nil
}
