package bronze

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
)

// codex decodes a line of a Codex rollout. Only the first line names the session, so the workflow is the frame's. Much is
// written twice, as a response_item and as an event_msg: the former is the truth, the latter is taken for what has no twin.
func (d *decoder) codex(e *Event, v *fastjson.Value) {
	e.Provider = ProviderOpenAI
	e.Time = eventTime(v.Get("timestamp"))
	p := v.Get("payload")
	r := d.record(e, "")
	switch text(v, "type") {
	case "response_item":
		r.codexItem(p)
	case "event_msg":
		r.codexEvent(p)
	case "turn_context":
		r.codexTurn(p)
	case "compacted":
		r.event(KindCompaction).Text = text(p, "message")
	}
	r.noteIfNothing()
}

// codexLegacy decodes a line of a rollout that has no envelope: the item stands by itself.
func (d *decoder) codexLegacy(e *Event, v *fastjson.Value) {
	e.Provider = ProviderOpenAI
	e.Time = eventTime(cmp.Or(v.Get("timestamp"), v.Get("created_at")))
	r := d.record(e, "")
	r.codexItem(v)
	r.noteIfNothing()
}

// codexTurn names the model of a turn, which its answers do not.
func (r *record) codexTurn(p *fastjson.Value) {
	e := r.event(KindTurn)
	e.IntentID, e.Capability = text(p, "turn_id"), text(p, "model")
	e.Phase, e.Status = PhaseEnd, StatusOK
}

// codexItem decodes a part of a prompt or of an answer, as OpenAI's Responses API has it.
func (r *record) codexItem(p *fastjson.Value) {
	id := text(p, "call_id", "callId", "id")
	switch typ := text(p, "type"); typ {
	case "message", "":
		r.codexMessage(p)
	case "reasoning":
		r.codexReasoning(p)
	case "function_call", "custom_tool_call", "tool_call", "local_shell_call", "web_search_call", "tool_search_call",
		"image_generation_call":
		r.call(id, codexTool(p, typ), codexArguments(p))
		if typ == "web_search_call" && text(p, "status") == "completed" {
			r.answer(id).Payload = "null"
		}
	case "function_call_output", "custom_tool_call_output", "tool_search_output", "tool_result", "function_result":
		output := p.Get("output")
		for _, key := range []string{"result", "tools"} {
			if output == nil {
				output = p.Get(key)
			}
		}
		r.codexOutput(id, output)
	}
}

func codexTool(p *fastjson.Value, typ string) string {
	return cmp.Or(text(p, "name"), textAt(p, "function", "name"), strings.TrimSuffix(typ, "_call"))
}

// codexArguments are a JSON text, an object, a free text or, of a shell or a search, an action.
func codexArguments(p *fastjson.Value) string {
	for _, key := range []string{"arguments", "input", "action"} {
		switch a := p.Get(key); {
		case is(a, fastjson.TypeString):
			return string(a.GetStringBytes())
		case a != nil:
			return render(a)
		}
	}
	return ""
}

func (r *record) codexMessage(p *fastjson.Value) {
	role := text(p, "role")
	said := cmp.Or(blocksText(p.Get("content")), text(p, "message", "text"))
	switch role {
	case "user":
		if codexPseudo(said) {
			r.codexSaid(RoleSystem, said)
			return
		}
		if _, request, found := strings.Cut(said, "## My request for Codex:"); found {
			said = strings.TrimSpace(request)
		}
	case "developer", "system":
		role = RoleSystem
	case "assistant":
	default:
		return
	}
	if e := r.codexSaid(role, said); role == RoleAssistant {
		e.Capability, e.FinishReason = text(p, "model"), text(p, "phase")
	}
}

// codexSaid adds a message. Its two copies in a file share role, text and second, and so are one.
func (r *record) codexSaid(role, said string) *Event {
	sum := sha1.Sum([]byte(said))
	e := r.message(role, role+"/"+strconv.FormatInt(r.first.Time.Unix(), 10)+"/"+hex.EncodeToString(sum[:8]))
	e.say(FragmentText, "0", said)
	return e
}

// codexPseudo knows messages of the user's role that the program made.
func codexPseudo(said string) bool {
	said = strings.TrimSpace(said)
	for _, prefix := range []string{
		"<environment_context>", "<user_instructions>", "# AGENTS.md instructions", "<skills_instructions>", "<collaboration_mode>",
		"<turn_aborted>", "<user_shell_command>", "<permissions instructions>", "<subagent_notification>", "<INSTRUCTIONS>",
		"<app-context>",
	} {
		if strings.HasPrefix(said, prefix) {
			return true
		}
	}
	return false
}

func (r *record) codexReasoning(p *fastjson.Value) {
	thought := blocksText(p.Get("summary"))
	if more := blocksText(p.Get("content")); more != "" {
		thought = strings.TrimSpace(thought + "\n" + more)
	}
	if thought == "" {
		return // encrypted
	}
	r.message(RoleAssistant, text(p, "id")).say(FragmentReasoning, "0", thought)
}

// codexOutput ends a call with what it gave: a text, a JSON text with output and metadata, a list of contents or an object.
func (r *record) codexOutput(id string, output *fastjson.Value) {
	e := r.answer(id)
	e.Payload = cmp.Or(render(output), "null")
	e.Text = blocksText(output)
	if is(output, fastjson.TypeObject) && present(output, "success") && !output.GetBool("success") {
		e.broke(e.Text)
	}
	if strings.HasPrefix(e.Text, "{") {
		if inner, err := formats.Parse([]byte(e.Text)); err == nil && is(inner, fastjson.TypeObject) && inner.Exists("output") {
			e.Text = blocksText(inner.Get("output"))
			if code := inner.Get("metadata", "exit_code"); is(code, fastjson.TypeNumber) && code.GetFloat64() != 0 {
				e.broke(e.Text)
			}
		}
	}
	if code, found := strings.CutPrefix(e.Text, "Exit code: "); found {
		line, _, _ := strings.Cut(code, "\n")
		if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && n != 0 {
			e.broke(e.Text)
		}
	}
}

// codexEvent decodes what the program says of its work.
func (r *record) codexEvent(p *fastjson.Value) {
	id := text(p, "call_id", "callId")
	switch text(p, "type") {
	case "token_count":
		r.codexTokens(p.Get("info"))
	case "exec_command_end":
		e := r.answer(id)
		e.Payload, e.Text = render(p), text(p, "aggregated_output", "stdout", "stderr")
		if code := p.Get("exit_code"); is(code, fastjson.TypeNumber) && code.GetFloat64() != 0 {
			e.broke(cmp.Or(text(p, "stderr"), e.Text))
		}
	case "patch_apply_end":
		e := r.answer(id)
		e.Payload, e.Text = render(p), text(p, "stdout", "stderr")
		if present(p, "success") && !p.GetBool("success") {
			e.broke(cmp.Or(text(p, "stderr"), e.Text))
		}
	case "mcp_tool_call_end":
		r.codexMCP(id, p)
	case "error", "stream_error":
		e := r.event(KindAgentError)
		e.Phase = PhaseError
		e.broke(errorText(p))
	case "turn_aborted":
		e := r.event(KindAgentError)
		e.Phase, e.Status, e.Error = PhaseEnd, StatusCancelled, text(p, "reason")
	case "task_complete", "turn_complete":
		if present(p, "error") {
			e := r.event(KindAgentError)
			e.Phase = PhaseError
			e.broke(errorText(p.Get("error")))
		}
	case "user_message":
		if said := text(p, "message"); said != "" && !codexPseudo(said) {
			r.codexSaid(RoleUser, said)
		}
	case "agent_message":
		if said := text(p, "message"); said != "" {
			r.codexSaid(RoleAssistant, said)
		}
	case "thread_name_updated":
		r.note().Title = text(p, "thread_name")
	}
}

// codexTokens counts a call of the model. The program writes the same count again with the next call's limits; both have the
// same running total, which therefore is what tells calls apart.
func (r *record) codexTokens(info *fastjson.Value) {
	last := info.Get("last_token_usage")
	total := count(info, "total_token_usage", "total_tokens")
	if last == nil || total < 0 {
		return
	}
	e := r.event(KindUsage)
	e.IntentID = "usage/" + strconv.FormatInt(total, 10)
	e.Role, e.Phase, e.Status = RoleAssistant, PhaseEnd, StatusOK
	e.tokens(count(last, "input_tokens"), count(last, "output_tokens"), count(last, "cached_input_tokens"), count(last, "reasoning_output_tokens"))
}

func (r *record) codexMCP(id string, p *fastjson.Value) {
	result := p.Get("result")
	e := r.answer(id)
	e.Capability, e.Payload = textAt(p, "invocation", "tool"), cmp.Or(render(result), "null")
	if failure := result.Get("Err"); failure != nil {
		e.Text = cmp.Or(string(failure.GetStringBytes()), errorText(failure))
		e.broke(e.Text)
		return
	}
	e.Text = blocksText(result.Get("Ok", "content"))
	if result.GetBool("Ok", "isError") {
		e.broke(e.Text)
	}
}
