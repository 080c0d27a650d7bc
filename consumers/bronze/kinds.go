package bronze

// Kinds of the events of model streams. One SSE body is one answer of a model, so all of them share the stream's id as
// their intent.
const (
	KindMessageStart   = "message_start"   // the model begins
	KindTextDelta      = "text_delta"      // a piece of text, also of a refusal
	KindReasoningDelta = "reasoning_delta" // a piece of reasoning
	KindToolCallDelta  = "tool_call_delta" // a piece of a tool call: id and name, or arguments
	KindMessageDelta   = "message_delta"   // usage, finish reason, bounds of parts, whole parts
	KindMessageEnd     = "message_end"     // the model has finished
	KindHeartbeat      = "heartbeat"       // a sign of life
	KindStreamEnd      = "stream_end"      // the last event of a stream, [DONE]
	KindStreamError    = "stream_error"    // the stream fails
	KindSSEEvent       = "sse_event"       // an SSE event of unknown meaning, JSON or plain text
)

// Kinds of what a conversation consists of besides the answers of models. An echo is what the history in a request repeats:
// it counts only where nothing has told the same first-hand.
const (
	KindModelRequest   = "model_request"    // a model is asked; what it is given are events of their own
	KindChatMessage    = "chat_message"     // a whole message, in a request or a transcript
	KindToolCall       = "tool_call"        // a model asks for a tool
	KindToolCallEcho   = "tool_call_echo"   //
	KindToolResult     = "tool_result"      // what the tool answered
	KindToolResultEcho = "tool_result_echo" //
)

// Kinds of what is known of the transport.
const (
	KindExchange    = "http_exchange"     // an HTTP exchange began
	KindExchangeEnd = "http_exchange_end" // how it ended
	KindStreamCut   = "stream_cut"        // the stream ends within an event
)

// Kinds of capabilities.
const (
	CapabilityModel  = "model"
	CapabilityTool   = "tool"
	CapabilityMethod = "method" // of a protocol
)

// Kinds of JSON-RPC messages.
const (
	KindRPCRequest      = "rpc_request"
	KindRPCResponse     = "rpc_response"
	KindRPCError        = "rpc_error"
	KindRPCNotification = "rpc_notification"
	KindRPCProgress     = "rpc_progress" // MCP's notifications/progress
	KindRPCInvalid      = "rpc_invalid"  // has neither method nor result nor error

	KindRPCExchange  = "rpc_exchange"  // the HTTP exchange of a request, and its end where there was no answer
	KindRPCTransport = "rpc_transport" // one that carried no request
)

// Kinds of state events that are understood; others keep their discriminator as kind. A CloudEvent's kind is its type.
const (
	KindToolInvocation    = "tool_invocation"
	KindObservation       = "observation"
	KindPromotion         = "epistemic_promotion"
	KindContinuous        = "continuous_observation"
	KindContinuousState   = "ContinuousObservationState" // the same under its class name
	KindNodeStarted       = "NodeStartedEvent"
	KindTokenChunk        = "TokenStreamChunk"
	KindToolExecution     = "ToolExecutionUpdate"
	KindStateTransitioned = "StateTransitionedEvent"
	KindEvent             = "event" // a JSON object without discriminator
)

// KindUnknown is the kind of dead events.
const KindUnknown = "unknown"

// Providers, as far as the content of an event tells them.
const (
	ProviderOpenAI    = "openai" // or any service that speaks OpenAI's format and does not say who it is
	ProviderAzure     = "azure"
	ProviderGroq      = "groq"
	ProviderMistral   = "mistral"
	ProviderDeepSeek  = "deepseek"
	ProviderWriter    = "writer"
	ProviderAnthropic = "anthropic"
	ProviderGemini    = "gemini"
	ProviderCohere    = "cohere"
	ProviderWatsonx   = "watsonx"
	ProviderReplicate = "replicate"
	ProviderOllama    = "ollama"
	ProviderBedrock   = "bedrock"
	ProviderMCP       = "mcp"
)

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
