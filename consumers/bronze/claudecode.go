package bronze

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"
)

// claudeCode decodes a line of a Claude Code transcript, or of what it prints as stream-json. One answer of the model is several lines with the same message
// id, each with a block or more of it; tool results come in lines of the user's. A line has its own id, which copies of a
// resumed or forked session keep.
func (d *decoder) claudeCode(e *Event, v *fastjson.Value) {
	if session := text(v, "sessionId", "session_id"); session != "" {
		e.WorkflowID = valid(session)
	}
	e.Provider = ProviderAnthropic
	e.Time = eventTime(v.Get("timestamp"))
	if v.GetBool("isSidechain") {
		e.AgentID = text(v, "agentId", "slug", "sessionId")
	} else if call := text(v, "parent_tool_use_id"); call != "" { // of a subagent, which that call began
		e.AgentID = call
	}
	e.ParentID = text(v, "parentUuid")
	id := text(v, "uuid")
	if origin := v.Get("forkedFrom"); isString(origin, "sessionId") { // a copy, of what the session has that was forked
		e.WorkflowID, id = valid(text(origin, "sessionId")), cmp.Or(text(origin, "messageUuid"), id)
	}
	r := d.record(e, id)
	switch text(v, "type") {
	case "assistant":
		r.claudeAnswer(v)
	case "user":
		r.claudeUser(v)
	case "attachment":
		if prompt := blocksText(v.Get("attachment", "prompt")); textAt(v, "attachment", "type") == "queued_command" && prompt != "" {
			r.message(RoleUser, "").say(FragmentText, "0", prompt)
		}
	case "system":
		r.claudeSystem(v)
	case "result": // how a run of `claude --output-format stream-json` ended
		if v.GetBool("is_error") {
			failure := r.event(KindAgentError)
			failure.Phase = PhaseError
			failure.broke(text(v, "result", "subtype"))
		}
	case "ai-title", "custom-title":
		r.note().Title = text(v, "aiTitle", "customTitle", "title")
	}
	r.noteIfNothing()
}

func (r *record) claudeAnswer(v *fastjson.Value) {
	m := v.Get("message")
	id := text(m, "id")
	role, model := RoleAssistant, text(m, "model")
	if model == "<synthetic>" { // the program speaks, not a model
		role, model = RoleSystem, ""
	}
	e := r.message(role, id)
	e.Capability = model
	e.FinishReason = text(m, "stop_reason")
	e.claudeUsage(m.Get("usage"))
	part := cmp.Or(r.id, "0") + "/"
	content := m.Get("content")
	if s := content.GetStringBytes(); len(s) > 0 {
		e.say(FragmentText, part+"0", string(s))
	}
	for i, block := range content.GetArray() {
		switch text(block, "type") {
		case "text":
			e.say(FragmentText, part+strconv.Itoa(i), text(block, "text"))
		case "thinking":
			e.say(FragmentReasoning, part+strconv.Itoa(i), text(block, "thinking"))
		}
	}
	if v.GetBool("isApiErrorMessage") {
		e.broke(cmp.Or(e.Text, text(v, "error")))
	}
	for _, block := range content.GetArray() {
		switch text(block, "type") {
		case "tool_use", "server_tool_use", "mcp_tool_use":
			r.call(text(block, "id"), text(block, "name"), render(block.Get("input")))
		case "web_search_tool_result", "mcp_tool_result", "tool_result":
			r.claudeResult(block)
		}
	}
}

// claudeUsage counts what was read from and written to the cache as input, as the provider does not.
func (e *Event) claudeUsage(usage *fastjson.Value) {
	if !is(usage, fastjson.TypeObject) {
		return
	}
	cached := count(usage, "cache_read_input_tokens")
	input := count(usage, "input_tokens")
	if input >= 0 {
		input += max(cached, 0) + max(count(usage, "cache_creation_input_tokens"), 0)
	}
	e.tokens(input, count(usage, "output_tokens"), cached, count(usage, "output_tokens_details", "thinking_tokens"))
	e.anthropicWritten(usage)
}

// claudeUser decodes a line of type user, of which few are what a person typed.
func (r *record) claudeUser(v *fastjson.Value) {
	content := v.Get("message", "content")
	for _, block := range content.GetArray() {
		if text(block, "type") == "tool_result" {
			r.claudeResult(block)
		}
	}
	said := claudePrompt(content)
	switch {
	case said == "" || v.GetBool("isMeta") || r.begun > 0:
	case v.GetBool("isCompactSummary"):
		r.event(KindCompaction).Text = said
	default:
		r.message(RoleUser, "").say(FragmentText, "0", said)
	}
}

// claudePrompt is what of a content a person typed.
func claudePrompt(content *fastjson.Value) string {
	if s := strings.TrimSpace(string(content.GetStringBytes())); s != "" && !claudeMarkup(s) {
		return s
	}
	var typed []string
	for _, block := range content.GetArray() {
		if s := strings.TrimSpace(text(block, "text")); s != "" && !claudeMarkup(s) {
			typed = append(typed, s)
		}
	}
	return strings.Join(typed, "\n")
}

// claudeMarkup knows what the program itself puts into the user's mouth: commands and their output, reminders, marks of
// interruptions.
func claudeMarkup(said string) bool {
	for _, prefix := range claudePseudo {
		if strings.HasPrefix(said, prefix) {
			return true
		}
	}
	return false
}

var claudePseudo = []string{
	"<command-name>", "<command-message>", "<command-args>", "<local-command-", "<system-reminder>", "<user-prompt-submit-hook>",
	"<bash-input>", "<bash-stdout>", "<bash-stderr>", "<ide_", "<task-notification>", "Caveat: The messages below were generated",
	"[Request interrupted by user", "<session-start-hook>", "<post-tool-use-hook>",
}

func (r *record) claudeResult(block *fastjson.Value) {
	e := r.answer(text(block, "tool_use_id"))
	content := block.Get("content")
	e.Payload, e.Text = cmp.Or(render(content), `""`), blocksText(content)
	if block.GetBool("is_error") {
		e.broke(e.Text)
	}
}

func (r *record) claudeSystem(v *fastjson.Value) {
	switch text(v, "subtype") {
	case "compact_boundary":
		r.event(KindCompaction).Text = text(v, "content")
	case "api_error":
		e := r.event(KindAgentError)
		e.Phase = PhaseError
		e.broke(cmp.Or(errorText(v.Get("error")), text(v, "content")))
	}
}
