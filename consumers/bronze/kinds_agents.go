package bronze

// Kinds of the events of agents' transcripts, telemetry and protocols.
const (
	KindMessage    = "message"     // a whole message, whoever's its role says
	KindUsage      = "usage"       // tokens of a call that the source does not tell otherwise
	KindTurn       = "turn"        // an agent's work on one prompt
	KindAgentRun   = "agent_run"   // an agent is at work, as telemetry tells it
	KindEmbedding  = "embedding"   // a model embeds or ranks texts
	KindSpan       = "span"        // a span of telemetry that is none of these
	KindLog        = "log"         // a log record that is none of these
	KindCompaction = "compaction"  // a context was replaced by a summary, which is the text
	KindAgentError = "agent_error" // something of the agent failed that is neither message nor call
	KindNote       = "note"        // bookkeeping of a session
)
