package bronze

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"strings"
)

// log tells of one log record: a message of a call of a model, or what an agent reports of itself.
func (x *export) log(l *logRecord) {
	s := x.spanOf(l)
	name := l.event
	body := l.attributes.json("body")
	if l.body != nil {
		body = anyValueJSON(l.body)
	}
	if name == "gen_ai.client.inference.operation.details" {
		x.details(s, l)
		return
	}
	if m, answer, ok := eventMessage(name, body, l.attributes); ok {
		x.logged(s, m, answer)
		return
	}
	if !x.agentLog(s, l, strings.TrimPrefix(strings.TrimPrefix(name, "claude_code."), "codex.")) {
		x.plainLog(s, l)
	}
}

// spanOf is the span that a record belongs to, or one that stands for it, if the export does not have it.
func (x *export) spanOf(l *logRecord) *span {
	if s := x.byID[l.trace+"/"+l.span]; s != nil {
		return s
	}
	s := &span{trace: l.trace, id: l.span, start: l.time, end: l.time, attributes: l.attributes, resource: l.resource}
	if l.span == "" {
		if only := x.onlyModel(l.trace); only != nil {
			return only
		}
		s.id = logID(l)
	}
	s.session = cmp.Or(l.attributes.text(sessionKeys...), x.sessions[l.trace], l.resource.text(sessionKeys...), l.trace, x.r.first.WorkflowID)
	return s
}

// onlyModel is the call of a model of a trace, if there is exactly one: a record without a span can only be of that.
func (x *export) onlyModel(trace string) (only *span) {
	if trace == "" {
		return nil
	}
	for _, s := range x.spans {
		if s.trace != trace || s.kind != spanModel || s.models > 0 {
			continue
		}
		if only != nil {
			return nil
		}
		only = s
	}
	return only
}

// logID identifies a record that has no span: by when it was and what it says.
func logID(l *logRecord) string {
	h := sha1.New()
	h.Write([]byte(strconv.FormatInt(l.time.UnixNano(), 10) + l.event))
	h.Write([]byte(render(l.body)))
	if seq := l.attributes.text("event.sequence"); seq != "" {
		h.Write([]byte(seq))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// details tells of a call of a model whose messages came in a record of their own.
func (x *export) details(s *span, l *logRecord) {
	input := append(parseMessages(l.attributes.json("gen_ai.system_instructions"), RoleSystem), parseMessages(l.attributes.json("gen_ai.input.messages"), "")...)
	x.history(s, input)
	for i, m := range parseMessages(l.attributes.json("gen_ai.output.messages"), RoleAssistant) {
		x.spoke(s, m, i)
	}
}

// logged tells of one message.
func (x *export) logged(s *span, m message, answer bool) {
	if !answer {
		x.history(s, []message{m})
		return
	}
	x.spoke(s, m, 0)
}

// spoke adds an answer to the call of the model that a span tells of.
func (x *export) spoke(s *span, m message, number int) {
	x.calls(s, m)
	if withheld(m.text) {
		return
	}
	inner := s
	if s.models == 1 {
		inner = s.model
	}
	e := x.event(s, KindMessage, "log/"+strconv.Itoa(number))
	e.Role, e.IntentID, e.Phase, e.Status, e.Time = RoleAssistant, inner.key(), PhaseEnd, StatusOK, s.end
	e.Capability = s.modelName()
	e.say(FragmentReasoning, strconv.Itoa(number), m.reasoning)
	e.say(FragmentText, strconv.Itoa(number), m.text)
	e.FinishReason = m.finish
}

// agentLog decodes what Claude Code and Codex report. It reports whether it is one of these.
func (x *export) agentLog(s *span, l *logRecord, name string) bool {
	a := l.attributes
	id := logID(l)
	switch name {
	case "user_prompt":
		e := x.event(s, KindMessage, id)
		e.Role, e.IntentID, e.Phase, e.Status, e.Time = RoleUser, e.EventID, PhaseEnd, StatusOK, l.time
		e.say(FragmentText, "0", a.text("prompt"))
	case "api_request", "sse_event":
		if name == "sse_event" && a.text("event.kind") != "response.completed" {
			return false
		}
		e := x.event(s, KindUsage, id)
		e.IntentID, e.Phase, e.Status, e.Time = cmp.Or(a.text("request_id"), e.EventID), PhaseEnd, StatusOK, l.time
		e.Capability = a.text("model", "slug")
		e.agentTokens(a)
	case "api_error":
		e := x.event(s, KindAgentError, id)
		e.Phase, e.Time = PhaseError, l.time
		e.broke(a.text("error", "error.message"))
	case "tool_result":
		e := x.event(s, KindToolResult, id)
		e.IntentID = cmp.Or(a.text("tool_use_id", "call_id"), e.EventID)
		e.Capability, e.Phase, e.Status, e.Time = a.text("tool_name"), PhaseEnd, StatusOK, l.time
		e.Text = a.text("output")
		e.Payload = cmp.Or(jsonOrNull(e.Text), "null")
		if a.text("success") == "false" {
			e.broke(a.text("error", "output"))
		}
	default:
		return false
	}
	return true
}

func (e *Event) agentTokens(a attributes) {
	cached := a.count("cache_read_tokens", "cached_token_count")
	input := a.count("input_tokens")
	if input >= 0 { // Claude Code's; Codex's include them
		input += max(cached, 0) + max(a.count("cache_creation_tokens"), 0)
	}
	e.tokens(max(input, a.count("input_token_count")), a.count("output_tokens", "output_token_count"), cached, a.count("reasoning_token_count"))
	e.written(a.count("cache_creation_tokens"), -1)
	if cost := a.number("cost_usd"); cost >= 0 {
		e.CostUSD = cost
	}
}

// plainLog keeps a record that tells of nothing that is understood.
func (x *export) plainLog(s *span, l *logRecord) {
	e := x.event(s, KindLog, logID(l))
	e.Phase, e.Status, e.Time = PhaseNone, StatusNone, l.time
	e.IntentID = s.session
	if l.body != nil {
		e.Payload = string(appendAnyValue(nil, l.body))
	}
}
