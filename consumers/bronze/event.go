package bronze

import "time"

// Phase is the part that an event plays in the life of its entity.
type Phase string

// The phases. An entity opens with a start, gathers deltas and is settled by an end or an error.
const (
	PhaseNone  Phase = ""
	PhaseStart Phase = "start"
	PhaseDelta Phase = "delta"
	PhaseEnd   Phase = "end"
	PhaseError Phase = "error"
)

// Status is the outcome that an event reports.
type Status string

// The outcomes; the zero value means that the event reports none.
const (
	StatusNone      Status = ""
	StatusOK        Status = "ok"
	StatusError     Status = "error"
	StatusCancelled Status = "cancelled"
)

// Roles of messages.
const (
	RoleUser      = "user"
	RoleSystem    = "system" // developer's messages, too
	RoleAssistant = "assistant"
	RoleTool      = "tool"
)

// Disposition is what became of an event of the log.
type Disposition string

// Every event gets exactly one disposition. Of a record that is dead there is one event only, its part 0.
const (
	Kept Disposition = "kept"
	Shed Disposition = "shed"
	Dead Disposition = "dead"
)

// FragmentType says what a fragment is a piece of.
type FragmentType string

// The parts that a model's message is made of.
const (
	FragmentText      FragmentType = "text"
	FragmentReasoning FragmentType = "reasoning"
	FragmentRefusal   FragmentType = "refusal"
	FragmentToolCall  FragmentType = "tool_call" // Text is a piece of the arguments' JSON
	FragmentFinish    FragmentType = "finish"    // why a choice other than the first has ended
)

// Fragment is a piece of a model's message, as one event of its stream brings it. A message is put together again by
// concatenating the pieces of each part in the order of their positions.
type Fragment struct {
	Part  string       `json:"part"`            // which part of the message (choice, content block, output item)
	Type  FragmentType `json:"type"`            //
	ID    string       `json:"id,omitempty"`    // tool call: its id
	Name  string       `json:"name,omitempty"`  // tool call: the tool
	Text  string       `json:"text,omitempty"`  // the piece
	Whole bool         `json:"whole,omitempty"` // Text is the whole part and replaces the pieces
}

// Event is one decoded event: a row of Silver before its identities are computed.
//
// Strings are valid UTF-8; "" means absent. Token counts and the cost are -1 where the event reports none.
type Event struct {
	// Where it came from.
	Source     string
	StreamID   string
	Position   uint64    // of the record that it is part of
	Part       int       // which of the record's events it is, from 0
	WorkflowID string    // the event's own, else the frame's
	CapturedAt time.Time // of the frame
	BronzeSeq  uint64
	Bytes      int      // length of the record's raw bytes; 0 for parts other than the first, so that sums are right
	Digest     [20]byte // SHA-1 of the record's raw bytes

	// What it says.
	EventID         string // the event's own id (event_cid; CloudEvents source and id joined), "" if it has none
	Kind            string
	IntentID        string
	AgentID         string
	Role            string // of a message: RoleUser, RoleSystem, RoleAssistant or RoleTool
	Title           string // of the workflow, where an event tells it
	Capability      string // tool, method or model
	CapabilityKind  string // CapabilityModel, CapabilityTool or CapabilityMethod, "" if it does not say
	Provider        string // openai, anthropic, gemini, cohere, mistral, mcp, …
	Phase           Phase
	Status          Status
	Time            time.Time // the event's own time; zero if it has none
	Text            string    // what a reader would want to find: delta, message, result, observation
	Fragments       []Fragment
	Payload         string // the event's JSON, or its text as a JSON string
	FinishReason    string
	Error           string  // message of an error
	InputTokens     int64   // those read from a cache included
	OutputTokens    int64   // those of reasoning included
	CachedTokens    int64   // of the input: read from a cache
	ReasoningTokens int64   // of the output: spent on reasoning
	WrittenTokens   int64   // of the input: written to a cache
	HourTokens      int64   // of those written: to be kept for an hour
	CostUSD         float64 // as the source tells it
	ParentID        string  // own id of the event that caused this one (triggering_invocation_cid), "" if unknown
	Removed         int     // tokens that the token gate took out of Payload

	// What becomes of it.
	Sheddable   bool // may be spared under load
	Disposition Disposition
	Reason      string // why it is dead
	Raw         []byte // the record's raw bytes; aliases the frame's body

	repeated bool      // later events of the stream tell its token counts again
	results  []toolEnd // what tools answered that the model's provider ran by itself
}
