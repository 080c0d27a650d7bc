package pages

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"assay/internal/fleet"
	"assay/internal/ops/audit"
	"assay/internal/query"
	"assay/streams"
)

// now is when the pages of the tests are looked at.
var now = time.Date(2026, 3, 2, 15, 4, 5, 0, time.UTC)

// book is a View of a small memory, in which every text is what its word makes of it.
type book struct {
	query.View
	word   func(field string) string // what agents wrote, by field
	acted  []string                  // what was asked to be done
	turns  int                       // items of the workflow
	fleet  bool                      // several workers
	status query.Summary
}

func plain(field string) string { return field }

func newBook() *book {
	return &book{word: plain, turns: 8, fleet: true, status: query.Summary{
		Bronze:     query.BronzeSummary{Frames: 120, Events: 48_210, Bytes: 12_400_000},
		Silver:     query.SilverSummary{Events: 48_190, Batches: 40, Shed: 17, Dead: 2},
		Gold:       query.GoldSummary{Traces: 48_173, Entities: 912, Capabilities: 9, Edges: 40},
		Promotions: query.PromotionSummary{Published: 3, Pending: 1, Rejected: 1},
		Embeddings: query.EmbeddingSummary{Model: "hash-256"},
	}}
}

func (b *book) Status(context.Context) (*query.Summary, error) {
	s := b.status
	s.Warnings = append(s.Warnings, b.word("the log is nearly full"))
	return &s, nil
}

func (b *book) Capabilities(context.Context) (all []query.Capability, err error) {
	for hour := range 20 {
		for i, name := range []string{"read_file", "run_build", "model-1"} {
			calls := int64((hour*7+i*5)%11) * int64(3-i)
			all = append(all, query.Capability{
				Capability: b.word(name), Provider: b.word("provider"), Bucket: now.Truncate(time.Hour).Add(-time.Duration(hour) * time.Hour), Calls: calls,
				Errors: calls * int64(i%2) / 4, CostUSD: float64(calls*int64(i/2)) * 0.0034, LatencyP50: 1_240 * int64(1+i*400), LatencyP95: 9_300 * int64(1+i*300), LatencyP99: 41_000 * int64(1+i*300),
				Bytes: 1_000 * calls, InputTokens: calls * 900 * int64(i/2), OutputTokens: calls * 120 * int64(i/2), Workflows: 2,
			})
		}
	}
	return all, nil
}

func (b *book) Graph(context.Context) (*query.Graph, error) {
	g := &query.Graph{}
	w, agent, tool, model := b.word("wf-1"), b.word("planner"), b.word("read_file"), b.word("model-1")
	for i, n := range [][2]string{{"workflow", w}, {"agent", agent}, {"capability", tool}, {"model", model}} {
		g.Nodes = append(g.Nodes, query.Element{
			ID: n[0], SourceType: n[0], Source: n[1], Count: int64(10 - i), Errors: int64(i % 2), FirstAt: now.Add(-time.Hour), LastAt: now,
		})
	}
	for _, e := range [][4]string{{"workflow", w, "capability", tool}, {"agent", agent, "capability", tool}, {"workflow", w, "model", model}} {
		g.Edges = append(g.Edges, query.Element{
			ID: e[1] + e[3], SourceType: e[0], Source: e[1], TargetType: e[2], Target: e[3], Relation: "calls", Count: 5, Errors: 1,
		})
	}
	return g, nil
}

func (b *book) summary(id string) query.WorkflowSummary {
	return query.WorkflowSummary{
		WorkflowID: id, Title: b.word("Why does the build fail?"), Agents: []string{b.word("planner")}, Models: []string{b.word("model-1")},
		FirstAt: now.Add(-time.Duration(b.turns) * 3 * time.Second), LastAt: now, Messages: 4, Calls: 3, Errors: 1, OpenCalls: 1, InputTokens: 4200, OutputTokens: 380,
	}
}

func (b *book) Workflows(_ context.Context, r query.WorkflowsRequest) (*query.WorkflowList, error) {
	list := &query.WorkflowList{Workflows: []query.WorkflowSummary{}}
	if r.Words != "nothing" {
		list.Workflows, list.Next = append(list.Workflows, b.summary(b.word("wf-1"))), "c2"
	}
	return list, nil
}

func (b *book) turn(i int) query.Turn {
	at := now.Add(time.Duration(i-b.turns) * 3 * time.Second)
	t := query.Turn{Entity: query.Entity{
		EntityUUID: fmt.Sprintf("00000000-0000-5000-8000-%012d", i), WorkflowID: b.word("wf-1"), StartedAt: at, EndedAt: at.Add(1400 * time.Millisecond),
		LatencyUS: 1_400_000, Status: "ok", StreamID: b.word("stream"), Events: 3, Bytes: 512, AgentID: b.word("planner"), Kind: "message",
	}}
	if i >= 4 && i < 7 {
		t.AgentID = b.word("reviewer")
	}
	switch i % 4 {
	case 0:
		t.Speaker, t.Text, t.LatencyUS = query.SpeakerUser, b.word("Why does the build fail?"), 0
	case 1:
		t.Speaker, t.Capability, t.InputTokens, t.OutputTokens = query.SpeakerAssistant, b.word("model-1"), 1200, 85
		t.Reasoning = b.word("The linker is said to miss the archive. I look at the Makefile first.")
		t.Asks = []query.Asked{{ID: "c1", Name: b.word("read_file"), Arguments: `{"path":"` + b.word("Makefile") + `"}`}}
	case 2:
		t.Speaker, t.Kind, t.Capability, t.Arguments = query.SpeakerCall, "call", b.word("read_file"), `{"path":"Makefile","why":"`+b.word("look")+`"}`
		t.Answer, t.Status, t.Error = b.word("no such file"), "error", b.word("no such file")
	default:
		t.Speaker, t.Capability, t.FinishReason = query.SpeakerAssistant, b.word("model-1"), b.word("stop")
		t.Text = b.word("The path is relative.\n\nUse an absolute path.")
	}
	return t
}

func (b *book) Conversation(_ context.Context, workflow string, r query.ConversationRequest) (*query.Conversation, error) {
	if workflow == "none" {
		return nil, fmt.Errorf("%w: workflow %q; did you mean %q?", query.ErrNotFound, workflow, b.word("wf-1"))
	}
	summary := b.summary(workflow)
	c := &query.Conversation{WorkflowID: workflow, Summary: &summary}
	first := 0
	if r.Cursor != "" {
		if _, err := fmt.Sscan(r.Cursor, &first); err != nil {
			return nil, fmt.Errorf("%w: cursor", query.ErrRequest)
		}
	}
	end := min(b.turns, first+r.Limit)
	for i := first; i < end; i++ {
		c.Turns = append(c.Turns, b.turn(i))
	}
	if end < b.turns {
		c.Next = fmt.Sprint(end)
	}
	return c, nil
}

func (b *book) Item(_ context.Context, id string) (*query.Item, error) {
	for i := range b.turns {
		if t := b.turn(i); t.EntityUUID == id {
			return &query.Item{Turn: t, Trail: []query.StoredEvent{{
				EventUUID: "ev-1", WorkflowID: t.WorkflowID, Source: "sse", Kind: b.word("message"), Phase: "delta", CapturedAt: now, StreamID: t.StreamID,
				Position: 4, BronzeSeq: 7, Payload: `{"text":"` + b.word("hello") + `"}`, Bytes: 80,
			}}}, nil
		}
	}
	return nil, fmt.Errorf("%w: item %q", query.ErrNotFound, id)
}

func (b *book) Calls(_ context.Context, r query.CallsRequest) (*query.CallList, error) {
	list := &query.CallList{Calls: []query.Turn{}, Next: "older"}
	for i := range min(b.turns, r.Limit) {
		if t := b.turn(i); t.Capability != "" && (!r.Errors || t.Status == "error") {
			list.Calls = append(list.Calls, t)
		}
	}
	return list, nil
}

func (b *book) Settled(context.Context) (query.Settled, error) {
	return query.Settled{SettledThrough: 118, Pending: 2}, nil
}

func (b *book) Event(_ context.Context, id string) (*query.Evidence, error) {
	e := &query.Evidence{
		EventUUID: id, EntityUUID: "00000000-0000-5000-8000-000000000002", WorkflowID: b.word("wf-1"), Kind: b.word("message"),
		StreamID: b.word("stream"), Position: 4, CapturedAt: now, BronzeSeq: 7, ContentType: "text/event-stream", Raw: []byte(b.word("hello")),
	}
	if id == "ev-1" {
		e.Chain = &streams.Tie{Next: streams.Checkpoint{Seq: 100, At: now}}
	}
	return e, nil
}

func (b *book) Rehydrate(_ context.Context, workflow string, _ query.RehydrateOptions) (*query.Workflow, error) {
	if workflow == "none" {
		return nil, fmt.Errorf("%w: workflow %q", query.ErrNotFound, workflow)
	}
	return &query.Workflow{WorkflowID: workflow, EntitiesTotal: int64(b.turns), Events: 24, Promotions: b.promotions()}, nil
}

func (b *book) Forget(_ context.Context, workflow string, opts query.ForgetOptions) (*query.Forgetting, error) {
	b.acted = append(b.acted, fmt.Sprintf("forget %s, bronze %t, abandon %t", workflow, opts.Bronze, opts.Abandon))
	return &query.Forgetting{WorkflowID: workflow, Through: 118, Events: 24, Entities: 8, Frames: 3, Erased: 4, Rewritten: 1}, nil
}

// workers is who works on the log.
func (b *book) workers(context.Context) (*fleet.Status, error) {
	return &fleet.Status{
		Members: []fleet.MemberStatus{
			{Member: fleet.Member{Name: b.word("worker-1"), URL: "127.0.0.1:7070", Version: "v1", Folds: true, Started: now}, Alive: true},
			{Member: fleet.Member{Name: "worker-2", Started: now}},
		},
		Partitions: []fleet.PartitionStatus{{Partition: 0, Owner: b.word("worker-1"), Epoch: 3, Lag: 1200}, {Partition: 1}},
	}, nil
}

func (b *book) Recall(_ context.Context, r query.RecallRequest) ([]query.Hit, error) {
	if r.Query == "nothing" {
		return nil, nil
	}
	return []query.Hit{{
		EpisodeUUID: "e1", EntityUUID: "00000000-0000-5000-8000-000000000003", WorkflowID: b.word("wf-1"), AgentID: b.word("planner"), Kind: "message", TS: now,
		StreamID: b.word("stream"), Text: b.word("Use an absolute path."), Score: 0.03, VectorRank: 1, Similarity: 0.71, TextRank: 2, BM25: 4.2,
		Before: []query.Neighbour{{Kind: "message", Text: b.word("Why does the build fail?")}},
		After:  []query.Neighbour{{Kind: "tool_result", Capability: b.word("read_file"), Text: b.word("no such file")}},
		Origin: &query.Origin{Events: 3, FirstPosition: 1, LastPosition: 3, FirstBronzeSeq: 7, LastBronzeSeq: 8},
	}}, nil
}

func (b *book) Promotions(context.Context, query.PromotionsRequest) (*query.PromotionList, error) {
	return &query.PromotionList{Promotions: b.promotions(), Next: "older"}, nil
}

func (b *book) promotions() (all []query.Promotion) {
	for i, state := range []string{query.StatePublished, query.StateRejected, query.StatePending} {
		all = append(all, query.Promotion{
			EventUUID: fmt.Sprintf("p%d", i), EventCID: b.word("promotion-" + state), WorkflowID: b.word("wf-1"), State: state, Attempts: int64(i),
			Reason: b.word("refused: no such node"), TS: now.Add(-time.Hour),
		})
	}
	return all
}

func (b *book) Promotion(_ context.Context, id string) (*query.PromotionDetail, error) {
	for _, p := range b.promotions() {
		if p.EventUUID == id {
			return &query.PromotionDetail{Promotion: p, Event: []byte(fmt.Sprintf(`{"event_cid":%q}`, b.word("promotion")))}, nil
		}
	}
	return nil, fmt.Errorf("%w: promotion %q", query.ErrNotFound, id)
}

func (b *book) RetryPromotion(_ context.Context, id string) error {
	b.acted = append(b.acted, "retry "+id)
	if id == "p0" {
		return fmt.Errorf("%w: it is published", query.ErrConflict)
	}
	return nil
}

func (b *book) RetryRejected(context.Context) (int, error) {
	b.acted = append(b.acted, "retry rejected")
	return 1, nil
}

func (b *book) RejectPromotion(_ context.Context, id, reason string) error {
	b.acted = append(b.acted, "reject "+id+" for "+reason)
	return nil
}

func (b *book) WatchPromotions(context.Context) iter.Seq2[*query.PromotionDetail, error] { return nil }

func (b *book) Dead(context.Context, query.DeadRequest) (*query.DeadList, error) {
	return &query.DeadList{Next: "1", Dead: []query.Dead{{
		Sequence: 1, BronzeSeq: 9, StreamID: b.word("stream"), Position: 4, WorkflowID: b.word("wf-1"), Reason: b.word("not JSON"), Bytes: 12, At: now,
		Raw: []byte(b.word("hello") + "\x00\xff\x1b[31m"),
	}}}, nil
}

// auditor is an Auditor that finds one difference.
type auditor struct{ word func(string) string }

func (a auditor) Audit(_ context.Context, workflow string, _ int, progress func(done, total uint64)) (*audit.Report, error) {
	progress(60, 120)
	return &audit.Report{
		Workflow: workflow, AsOf: now, FirstSeq: 1, LastSeq: 120, Frames: 120, Events: 48_210,
		Tables:      []audit.Tally{{Table: "traces", Expected: 48_173, Stored: 48_172, Missing: 1}},
		Differences: []audit.Difference{{Table: "traces", Key: a.word("key"), Finding: audit.Missing, BronzeSeq: 7}},
	}, nil
}

func (auditor) VerifyChain(_ context.Context, _ []streams.Anchor, progress func(done, total uint64)) (*streams.ChainReport, error) {
	progress(120, 120)
	return &streams.ChainReport{FirstSeq: 1, LastSeq: 120, Verified: 120, Checkpoints: 1, Head: streams.Checkpoint{Seq: 120}}, nil
}

func (auditor) Checkpoints(context.Context) ([]streams.Checkpoint, error) {
	return []streams.Checkpoint{{Seq: 100, Frames: 100, Events: 40_000, At: now}}, nil
}

func (b *book) options(token string) Options {
	o := Options{View: b, Audit: auditor{b.word}, Token: token, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
	if b.fleet {
		o.Fleet = b.workers
	}
	return o
}

// serveBook is the pages over a book.
func serveBook(b *book) http.Handler {
	mux := http.NewServeMux()
	protected, open := Routes(b.options(""))
	for _, r := range append(protected, open...) {
		mux.Handle(r.Pattern, r.Handler)
	}
	return mux
}
