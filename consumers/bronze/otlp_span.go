package bronze

import (
	"cmp"
	"strings"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
)

// spanKind is what a span is of.
type spanKind byte

const (
	spanOther     spanKind = iota
	spanModel              // a call of a model
	spanTool               // a call of a tool
	spanAgent              // the work of an agent
	spanEmbedding          // a call of a model of embeddings, or a reranker
)

// classify tells what a span is of, whichever convention says so.
func (s *span) classify() spanKind {
	a := s.attributes
	switch a.text("gen_ai.operation.name") {
	case "chat", "text_completion", "generate_content", "completion", "generate", "call_llm":
		return spanModel
	case "execute_tool":
		if strings.HasPrefix(a.text("gen_ai.tool.name"), "(merged") {
			return spanOther // a framework's, around several calls
		}
		return spanTool
	case "invoke_agent", "create_agent", "invoke_workflow":
		return spanAgent
	case "embeddings":
		return spanEmbedding
	}
	said := strings.ToLower(a.text("openinference.span.kind", "langfuse.observation.type", "langsmith.span.kind", "mlflow.spanType",
		"traceloop.span.kind", "fi.span.kind"))
	switch strings.Trim(said, `"`) {
	case "llm", "generation", "chat_model":
		return spanModel
	case "tool":
		return spanTool
	case "agent", "workflow":
		return spanAgent
	case "embedding", "reranker":
		return spanEmbedding
	}
	return s.classifyByVendor()
}

// classifyByVendor knows the spans of those who have a convention of their own.
func (s *span) classifyByVendor() spanKind {
	a := s.attributes
	operation := a.text("ai.operationId")
	switch a.text("genkit:metadata:subtype") {
	case "model":
		return spanModel
	case "tool":
		return spanTool
	case "flow", "prompt":
		return spanAgent
	case "embedder":
		return spanEmbedding
	}
	switch {
	case strings.HasSuffix(operation, ".doGenerate"), strings.HasSuffix(operation, ".doStream"), a.has("llm.request.type"),
		s.name == "claude_code.llm_request", a.has("gcp.vertex.agent.llm_response") && s.name == "call_llm":
		return spanModel
	case operation == "ai.toolCall", s.name == "claude_code.tool", a.text("mcp.method.name") == "tools/call",
		strings.HasPrefix(s.name, "execute_tool "), a.has("gen_ai.tool.call.id"), a.has("lk.function_tool.name"):
		return spanTool
	case strings.HasSuffix(operation, ".doEmbed"):
		return spanEmbedding
	case operation == "ai.generateText", operation == "ai.streamText", operation == "ai.generateObject",
		operation == "ai.streamObject", s.name == "claude_code.interaction":
		return spanAgent
	}
	return spanOther
}

// span tells of one span.
func (x *export) span(s *span) {
	switch {
	case s.kind == spanModel && s.models > 1:
		x.work(s) // a framework's, around several calls
	case s.kind == spanModel:
		x.model(s)
	case s.kind == spanTool:
		x.tool(s)
	case s.kind == spanAgent:
		x.work(s)
	case s.kind == spanEmbedding:
		x.embedding(s)
	default:
		x.other(s)
	}
}

// event begins an event of a span. What of the span it tells makes it distinct from others of it.
func (x *export) event(s *span, kind, what string) *Event {
	id := s.key()
	if what != "" {
		id += "/" + what
	}
	e := x.r.eventOf(id, kind)
	e.WorkflowID, e.AgentID = valid(s.session), s.attributes.text("gen_ai.agent.name", "agent.name", "gen_ai.agent.id")
	e.Provider, e.ParentID = "", ""
	if s.above != nil {
		e.ParentID = s.above.key()
	}
	return e
}

// begin begins what a span is of, at its start.
func (x *export) begin(s *span, kind, intent string) *Event {
	e := x.event(s, kind, "start")
	e.IntentID, e.Phase, e.Time = intent, PhaseStart, s.start
	return e
}

// end ends it, well or not.
func (x *export) end(s *span, kind, intent string) *Event {
	e := x.event(s, kind, "")
	e.IntentID, e.Phase, e.Status, e.Time = intent, PhaseEnd, StatusOK, s.end
	if s.failed || s.attributes.text("error.type") != "" {
		e.broke(cmp.Or(s.failure, s.exception(), s.attributes.text("error.type", "error.message")))
	}
	return e
}

// exception is what an exception that was recorded says.
func (s *span) exception() string {
	for _, event := range s.events {
		if text(event, "name") == "exception" {
			return attributesOf(event.Get("attributes")).text("exception.message", "exception.type")
		}
	}
	return ""
}

// model tells of a call of a model: what it was asked, and its answer. A model's span around another one is the same call,
// told again; its tokens are those of the inner one.
func (x *export) model(s *span) {
	inner, counts := s, true
	if s.models == 1 {
		inner, counts = s.model, false
	}
	name := s.modelName()
	start := x.begin(s, KindMessageStart, inner.key())
	start.Role, start.Capability, start.Provider = RoleAssistant, name, s.provider()
	x.history(s, otlpInput(s))
	e := x.end(s, KindMessage, inner.key())
	e.Role, e.Capability, e.Provider = RoleAssistant, name, s.provider()
	e.FinishReason = s.finish()
	if counts {
		e.otlpTokens(s.attributes)
	}
	output := otlpOutput(s)
	for _, m := range output {
		e.say(FragmentReasoning, "0", m.reasoning)
		e.say(FragmentText, "0", m.text)
		e.FinishReason = cmp.Or(e.FinishReason, m.finish)
	}
	for _, m := range output {
		x.calls(s, m)
	}
}

func (s *span) modelName() string {
	return s.attributes.text("gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "llm.response.model_name",
		"llm.request.model_name", "ai.response.model", "ai.model.id", "langfuse.observation.model.name", "model", "llm.response.model", "genkit:name")
}

func (s *span) provider() string {
	provider := s.attributes.text("gen_ai.provider.name", "llm.provider", "ai.model.provider", "gen_ai.system", "llm.system")
	if s.scope == "com.anthropic.claude_code.tracing" {
		return ProviderAnthropic
	}
	provider, _, _ = strings.Cut(strings.ToLower(provider), ".responses")
	if provider == "gcp.vertex.agent" { // a framework's name
		return ""
	}
	return provider
}

func (s *span) finish() string {
	if reasons := s.attributes.json("gen_ai.response.finish_reasons"); reasons != nil {
		if elements := reasons.GetArray(); len(elements) > 0 {
			return string(elements[0].GetStringBytes())
		}
	}
	return s.attributes.text("gen_ai.response.finish_reason", "llm.finish_reason", "ai.response.finishReason", "stop_reason",
		"gen_ai.completion.0.finish_reason", "gen_ai.response.finish_reasons")
}

// otlpTokens takes the token counts in any of their spellings, which are aliases and never added.
func (e *Event) otlpTokens(a attributes) {
	cached := a.count("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens", "cache_read_tokens",
		"llm.token_count.prompt_details.cache_read", "ai.usage.cachedInputTokens", "gen_ai.usage.details.cache_read_tokens")
	written := a.count("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens",
		"cache_creation_tokens", "llm.token_count.prompt_details.cache_write")
	input := a.count("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "ai.usage.inputTokens",
		"ai.usage.promptTokens", "llm.usage.prompt_tokens")
	if native := a.count("input_tokens"); input < 0 && native >= 0 {
		input = native + max(cached, 0) + max(written, 0) // Claude Code counts as its provider does
	} else if cached > input && input >= 0 {
		input += cached + max(written, 0) // and so do some instrumentations
	}
	output := a.count("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
		"ai.usage.outputTokens", "ai.usage.completionTokens", "llm.usage.completion_tokens", "output_tokens")
	e.tokens(input, output, cached, a.count("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
		"llm.token_count.completion_details.reasoning", "ai.usage.reasoningTokens", "gen_ai.usage.details.reasoning_tokens"))
	e.written(written, -1)
	if usage := a.json("genkit:output").Get("usage"); usage != nil {
		e.tokens(count(usage, "inputTokens"), count(usage, "outputTokens"), count(usage, "cachedContentTokens"), count(usage, "thoughtsTokens"))
	}
	if cost := a.number("gen_ai.usage.cost"); cost >= 0 {
		e.CostUSD = cost
	}
}

// tool tells of a call of a tool. The client's span and the server's, or an agent's around its execution, are one call.
func (x *export) tool(s *span) {
	a := s.attributes
	intent := s.toolIntent()
	name := a.text("gen_ai.tool.name", "tool.name", "ai.toolCall.name", "tool_name", "traceloop.entity.name", "mcp.tool.name",
		"lk.function_tool.name", "genkit:name")
	if name == "" {
		name = strings.TrimPrefix(s.name, "execute_tool ")
	}
	start := x.begin(s, KindToolCall, intent)
	start.Capability = name
	start.Text = a.text("gen_ai.tool.call.arguments", "ai.toolCall.args", "gcp.vertex.agent.tool_call_args", "tool_arguments", "gen_ai.tool.args",
		"tool.parameters", "input.value", "traceloop.entity.input", "langfuse.observation.input", "mlflow.spanInputs", "tool_input",
		"lk.function_tool.arguments", "genkit:input")
	start.Payload = jsonOrQuoted(start.Text)
	e := x.end(s, KindToolResult, intent)
	e.Capability = name
	result := a.text("gen_ai.tool.call.result", "ai.toolCall.result", "gcp.vertex.agent.tool_response", "tool_response", "gen_ai.output",
		"output.value", "traceloop.entity.output", "langfuse.observation.output", "mlflow.spanOutputs", "tool_output",
		"lk.function_tool.output", "genkit:output")
	e.Payload, e.Text = cmp.Or(jsonOrNull(result), "null"), result
	if parsed, err := formats.Parse([]byte(result)); err == nil && is(parsed, fastjson.TypeObject) && present(parsed, "error") &&
		parsed.GetObject().Len() <= 2 {
		e.broke(errorText(parsed.Get("error")))
	}
	if a.text("success") == "false" {
		e.broke(a.text("error"))
	}
}

func jsonOrNull(text string) string {
	if text == "" {
		return ""
	}
	return jsonOrQuoted(text)
}

// toolIntent is the id of the call where one of the spans that tell of it has it.
func (s *span) toolIntent() string {
	own := func(s *span) string {
		return s.attributes.text("gen_ai.tool.call.id", "tool_call.id", "tool.id", "ai.toolCall.id", "tool_use_id", "tool_call_id", "lk.function_tool.id")
	}
	if id := own(s); id != "" {
		return id
	}
	top := s
	for above, steps := s.above, 0; above != nil && above != s && steps < ancestorsMax; above, steps = above.above, steps+1 {
		if above.kind == spanTool && above.toolName() == s.toolName() {
			if id := own(above); id != "" {
				return id
			}
			top = above
		}
	}
	return top.key()
}

func (s *span) toolName() string {
	return s.attributes.text("gen_ai.tool.name", "tool.name", "tool_name")
}

// work tells of an agent at work. What it was asked and answered its calls tell.
func (x *export) work(s *span) {
	x.begin(s, KindAgentRun, s.key())
	e := x.end(s, KindAgentRun, s.key())
	e.AgentID = cmp.Or(e.AgentID, s.attributes.text("gen_ai.workflow.name", "traceloop.entity.name", "ai.telemetry.functionId"), s.name)
	if prompt := s.attributes.text("user_prompt"); prompt != "" {
		x.history(s, []message{{role: RoleUser, text: prompt}})
	}
	if s.told {
		return
	}
	x.history(s, otlpInput(s)) // the calls of its models do not say what it was asked, or are not there
	for i, m := range otlpOutput(s) {
		x.spoke(s, m, i)
	}
}

func (x *export) embedding(s *span) {
	start := x.begin(s, KindEmbedding, s.key())
	start.Capability, start.Provider = s.modelName(), s.provider()
	e := x.end(s, KindEmbedding, s.key())
	e.Capability, e.Provider = start.Capability, start.Provider
	e.otlpTokens(s.attributes)
}

// other keeps a span that tells of neither.
func (x *export) other(s *span) {
	e := x.event(s, KindSpan, "")
	e.IntentID, e.Time = s.session, s.start
	e.Payload = string(appendQuoted(nil, []byte(s.name)))
}
