package query

import (
	"context"
	"time"
)

// View is what can be asked of a store, whether it lies in a directory (Local) or behind a server (Remote).
type View interface {
	// Rehydrate returns what is needed to resume a workflow. ErrNotFound if nothing is known of it.
	Rehydrate(ctx context.Context, workflow string, opts RehydrateOptions) (*Workflow, error)
	WorkflowView
	ItemView
	CallView
	SettledView
	EvidenceView
	// Recall finds episodes.
	Recall(ctx context.Context, request RecallRequest) ([]Hit, error)
	// Capabilities returns the metrics per capability and time bucket, ordered by capability and bucket.
	Capabilities(ctx context.Context) ([]Capability, error)
	// Graph returns the usage graph, ordered by its elements' ids.
	Graph(ctx context.Context) (*Graph, error)
	// Forget removes a workflow for good. ErrNotFound if nothing is known of it, ErrConflict if promotions are in the way.
	Forget(ctx context.Context, workflow string, opts ForgetOptions) (*Forgetting, error)
	PromotionView
	// Dead returns a page of what could not be decoded, oldest first. ErrRequest if there is no such cursor.
	Dead(ctx context.Context, request DeadRequest) (*DeadList, error)
	// Status tells how far each layer has come.
	Status(ctx context.Context) (*Summary, error)
}

// Summary tells what a data directory holds, layer by layer. It is what `assay run --json` prints.
type Summary struct {
	Bronze     BronzeSummary    `json:"bronze"`
	Silver     SilverSummary    `json:"silver"`
	Gold       GoldSummary      `json:"gold"`
	Promotions PromotionSummary `json:"promotions"`
	Embeddings EmbeddingSummary `json:"embeddings"`
	Forward    *ForwardSummary  `json:"forward,omitempty"` // of an edge
	Seconds    float64          `json:"seconds"`
	Problems   []Problem        `json:"problems,omitempty"` // input that could not be taken, and why
	Warnings   []string         `json:"warnings,omitempty"` // what somebody should look into
	Retention  []Retained       `json:"retention,omitempty"`
}

// Retained tells what retention has dropped from a table.
type Retained struct {
	Table   string    `json:"table"`
	Before  time.Time `json:"before"`  // rows last active before it may be missing
	Dropped uint64    `json:"dropped"` // rows in all
}

// BronzeSummary counts what was captured.
type BronzeSummary struct {
	Frames uint64 `json:"frames"`
	Events uint64 `json:"events"`
	Bytes  uint64 `json:"bytes"`
}

// SilverSummary counts what was decoded.
type SilverSummary struct {
	Events  uint64 `json:"events"`
	Batches uint64 `json:"batches"`
	Shed    uint64 `json:"shed"`
	Dead    uint64 `json:"dead"`
}

// GoldSummary counts what was folded.
type GoldSummary struct {
	Traces       uint64 `json:"traces"`
	Entities     uint64 `json:"entities"`
	Capabilities uint64 `json:"capabilities"`
	Edges        uint64 `json:"edges"`
	Dead         uint64 `json:"dead"` // batches of SILVER that could not be decoded
}

// PromotionSummary counts promotions by state.
type PromotionSummary struct {
	Published uint64 `json:"published"`
	Pending   uint64 `json:"pending"`
	Rejected  uint64 `json:"rejected"`
}

// EmbeddingSummary tells how far the vectors of episodes have come.
type EmbeddingSummary struct {
	Model   string `json:"model"`
	Pending int64  `json:"pending"` // episodes without a vector of that model, which words alone find
}

// ForwardSummary tells how far an edge has forwarded its log to a hub.
type ForwardSummary struct {
	Hub      string    `json:"hub"`      // URL, without secrets
	Edge     string    `json:"edge"`     // name that the hub knows this edge by
	Sequence uint64    `json:"sequence"` // last frame that the hub has; 0 until it has told
	Lag      uint64    `json:"lag"`      // frames that it does not have yet
	LagBytes uint64    `json:"lag_bytes"`
	Oldest   time.Time `json:"oldest,omitzero"` // when the first of them was captured here
	Refused  uint64    `json:"refused"`         // frames since the start that hold what the hub has forgotten
	Lost     uint64    `json:"lost"`            // frames since the start that this log's limits took before the hub had them
	Away     string    `json:"away,omitempty"`  // why the hub takes nothing now
	Since    time.Time `json:"since,omitzero"`  // since when
}

// Problem is an input that could not be taken.
type Problem struct {
	Path  string `json:"path"`
	Error string `json:"error"`
}

// RehydrateOptions bound a rehydration.
type RehydrateOptions struct {
	Limit  int // entities to return at most; 0: DefaultEntities
	Offset int // entities to skip, newest first

	At time.Time // show the state as of then; zero: as it is now
}

// Workflow is what is needed to resume a workflow.
type Workflow struct {
	WorkflowID    string      `json:"workflow_id"`
	Entities      []Entity    `json:"entities"`       // newest first
	EntitiesTotal int64       `json:"entities_total"` // of the workflow, whatever the page
	OpenCalls     []Entity    `json:"open_calls"`     // requested and not answered
	Messages      []Entity    `json:"messages"`       // the last whole messages
	Promotions    []Promotion `json:"promotions"`
	Events        int64       `json:"events"`          // of the workflow, without those shed
	LastBronzeSeq int64       `json:"last_bronze_seq"` // of the newest frame that holds one of them
}

// Entity is the state of one entity: a call with its answer, or a message with its text.
type Entity struct {
	EntityUUID      string    `col:"entity_uuid" json:"entity_uuid"`
	Kind            string    `col:"kind" json:"kind"`
	WorkflowID      string    `col:"workflow_id" json:"workflow_id"`
	IntentID        string    `col:"intent_id" json:"intent_id,omitempty"`
	AgentID         string    `col:"agent_id" json:"agent_id,omitempty"`
	Capability      string    `col:"capability" json:"capability,omitempty"`
	Provider        string    `col:"provider" json:"provider,omitempty"`
	Status          string    `col:"status" json:"status"`
	StartedAt       time.Time `col:"started_at" json:"started_at,omitzero"`
	EndedAt         time.Time `col:"ended_at" json:"ended_at,omitzero"`
	LatencyUS       int64     `col:"latency_us" json:"latency_us,omitempty"`
	StreamID        string    `col:"stream_id" json:"stream_id"`
	FirstPosition   int64     `col:"first_position" json:"first_position"`
	LastPosition    int64     `col:"last_position" json:"last_position"`
	FirstPart       int64     `col:"first_part" json:"-"` // of the record at the first position
	Events          int64     `col:"events" json:"events"`
	Bytes           int64     `col:"bytes" json:"bytes"`
	InputTokens     int64     `col:"input_tokens" json:"input_tokens,omitempty"`
	OutputTokens    int64     `col:"output_tokens" json:"output_tokens,omitempty"`
	CachedTokens    int64     `col:"cached_tokens" json:"cached_tokens,omitempty"`                 // of the input
	ReasoningTokens int64     `col:"reasoning_tokens" json:"reasoning_tokens,omitempty"`           // of the output
	WrittenTokens   int64     `col:"cache_write_tokens" json:"cache_write_tokens,omitempty"`       // of the input
	HourTokens      int64     `col:"cache_write_1h_tokens" json:"cache_write_1h_tokens,omitempty"` // of these
	CostUSD         float64   `col:"cost_usd" json:"cost_usd,omitempty"`
	Role            string    `col:"role" json:"role,omitempty"`   // of a message: user, system, assistant, tool
	Clock           string    `col:"clock" json:"clock,omitempty"` // by which its times are told: own or capture
	FinishReason    string    `col:"finish_reason" json:"finish_reason,omitempty"`
	Error           string    `col:"error" json:"error,omitempty"`
	Request         string    `col:"request" json:"request,omitempty"`
	Result          string    `col:"result" json:"result,omitempty"`
	Text            string    `col:"text" json:"text,omitempty"`
	QuarantinedBy   string    `col:"quarantined_by" json:"quarantined_by,omitempty"` // the event that took it back
	CountedAs       string    `col:"counted_as" json:"counted_as,omitempty"`         // the entity that counts of several that see one call
	Reasoning       string    `json:"reasoning,omitempty"`                           // of a message; told in conversations only
}

// EpisodeKinds are the kinds of episodes, as the table has them.
var EpisodeKinds = []string{"message", "tool_call", "tool_result", "observation", "error"}

// RecallRequest asks for episodes that match a text.
type RecallRequest struct {
	Query    string    `json:"query"`
	Mode     string    `json:"mode,omitempty"` // hybrid (default), vector, text
	Limit    int       `json:"limit,omitempty"`
	Workflow string    `json:"workflow,omitempty"`
	Agent    string    `json:"agent,omitempty"`
	Kind     string    `json:"kind,omitempty"` // of EpisodeKinds
	After    time.Time `json:"after,omitzero"`
	Before   time.Time `json:"before,omitzero"`
	Exact    bool      `json:"exact,omitempty"`  // compare every vector instead of using the index
	Origin   bool      `json:"origin,omitempty"` // tell which events each hit was made of
	// BudgetTokens has as many hits as fit into so many tokens of text, about; without Limit, 50 at most.
	BudgetTokens int `json:"budget_tokens,omitempty"`
	// Context adds so many neighbours of each hit in its stream, on each side.
	Context int `json:"context,omitempty"`
	// IncludeQuarantined has what was taken back found, too.
	IncludeQuarantined bool `json:"include_quarantined,omitempty"`
}

// Hit is an episode that was recalled.
type Hit struct {
	EpisodeUUID string    `col:"episode_uuid" json:"episode_uuid"`
	EntityUUID  string    `col:"entity_uuid" json:"entity_uuid"`
	WorkflowID  string    `col:"workflow_id" json:"workflow_id"`
	AgentID     string    `col:"agent_id" json:"agent_id,omitempty"`
	Capability  string    `col:"capability" json:"capability,omitempty"`
	Kind        string    `col:"kind" json:"kind"`
	TS          time.Time `col:"ts" json:"ts,omitzero"`
	StreamID    string    `col:"stream_id" json:"stream_id"`
	Position    int64     `col:"position" json:"position"`
	Text        string    `col:"text" json:"text"`
	Chunk       int64     `col:"chunk" json:"chunk"`    // of the entity's text
	EventUUID   string    `json:"event_uuid,omitempty"` // the event that it was made of, or the first or last of them
	BronzeSeq   int64     `json:"bronze_seq,omitempty"` // the frame that holds the event
	Score       float64   `json:"score"`                // higher is better; comparable within one answer only

	QuarantinedBy string `col:"quarantined_by" json:"quarantined_by,omitempty"` // the event that took it back

	// Why it was found: its place in each of the lists that were asked for, from 1, and what put it there.
	VectorRank int     `col:"_near_rank" json:"vector_rank,omitempty"`
	Similarity float64 `json:"similarity,omitempty"` // cosine, -1 to 1
	TextRank   int     `col:"_text_rank" json:"text_rank,omitempty"`
	BM25       float64 `col:"_score" json:"bm25,omitempty"`

	Repeats int  `json:"repeats,omitempty"` // hits that say the same again and are not shown
	Cut     bool `json:"cut,omitempty"`     // the text goes on; the budget did not reach for it

	// What stands before and after it in its stream, oldest first, if the request asked for that.
	Before []Neighbour `json:"before,omitempty"`
	After  []Neighbour `json:"after,omitempty"`

	// What it was made of, if the request asked for that.
	Origin *Origin `json:"origin,omitempty"`
}

// Recalled is what was found, and how far into the log the search reached.
type Recalled struct {
	Hits []Hit `json:"hits"`
	Settled
}

// Neighbour is an episode that stands beside a hit.
type Neighbour struct {
	EpisodeUUID string    `col:"episode_uuid" json:"episode_uuid"`
	Kind        string    `col:"kind" json:"kind"`
	Capability  string    `col:"capability" json:"capability,omitempty"`
	TS          time.Time `col:"ts" json:"ts,omitzero"`
	Position    int64     `col:"position" json:"position"`
	Text        string    `col:"text" json:"text"`
}

// Origin tells which events an episode's entity was put together from.
type Origin struct {
	Events         int64  `json:"events"`
	FirstEvent     string `json:"first_event"`    // its event_uuid
	FirstPosition  int64  `json:"first_position"` // in the source stream
	LastPosition   int64  `json:"last_position"`
	FirstBronzeSeq int64  `json:"first_bronze_seq"` // frames of the log
	LastBronzeSeq  int64  `json:"last_bronze_seq"`
}

// Capability is the use of one capability in one time bucket.
type Capability struct {
	Capability   string    `col:"capability" json:"capability"`
	Kind         string    `col:"kind" json:"kind"` // model, tool or method
	Provider     string    `col:"provider" json:"provider,omitempty"`
	Bucket       time.Time `col:"bucket" json:"bucket"`
	Calls        int64     `col:"calls" json:"calls"`
	Errors       int64     `col:"errors" json:"errors"`
	LatencyP50   int64     `col:"latency_p50_us" json:"latency_p50_us,omitempty"`
	LatencyP95   int64     `col:"latency_p95_us" json:"latency_p95_us,omitempty"`
	LatencyP99   int64     `col:"latency_p99_us" json:"latency_p99_us,omitempty"`
	Bytes        int64     `col:"bytes" json:"bytes"`
	InputTokens  int64     `col:"input_tokens" json:"input_tokens"`
	OutputTokens int64     `col:"output_tokens" json:"output_tokens"`
	Workflows    int64     `col:"workflows" json:"workflows"`
	CostUSD      float64   `col:"cost_usd" json:"cost_usd,omitempty"` // of the calls that have a price

	Latencies string `col:"latencies" json:"-"` // of a partition, by bin
}

// CapabilityList is the answer about capabilities over HTTP and for scripts.
type CapabilityList struct {
	Capabilities []Capability `json:"capabilities"`
}

// Graph is the usage graph.
type Graph struct {
	Nodes []Element `json:"nodes"`
	Edges []Element `json:"edges"`
}

// Element is a node or an edge of the usage graph.
type Element struct {
	ID         string    `col:"element_id" json:"element_id"`
	Element    string    `col:"element" json:"-"`
	Source     string    `col:"source" json:"source"`
	SourceType string    `col:"source_type" json:"source_type"`
	Target     string    `col:"target" json:"target,omitempty"`
	TargetType string    `col:"target_type" json:"target_type,omitempty"`
	Relation   string    `col:"relation" json:"relation,omitempty"`
	Count      int64     `col:"count" json:"count"`
	Errors     int64     `col:"errors" json:"errors"`
	FirstAt    time.Time `col:"first_at" json:"first_at,omitzero"`
	LastAt     time.Time `col:"last_at" json:"last_at,omitzero"`
}
