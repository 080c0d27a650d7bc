package bronze

import (
	"cmp"
	"strings"

	"github.com/valyala/fastjson"

	"assay/streams"
)

// ProviderACP is the Agent Client Protocol, versions 1 and 2, in which an editor drives an agent.
const ProviderACP = "acp"

// acpServerMethods are the requests that the agent makes of its editor.
var acpServerMethods = map[string]bool{
	"session/request_permission": true, "fs/read_text_file": true, "fs/write_text_file": true, "terminal/create": true,
	"terminal/output": true, "terminal/wait_for_exit": true, "terminal/kill": true, "terminal/release": true,
}

// acpMethods are those that no other protocol has.
var acpMethods = map[string]bool{
	"session/new": true, "session/load": true, "session/resume": true, "session/prompt": true, "session/update": true,
	"session/cancel": true, "session/close": true, "session/list": true, "session/delete": true, "session/set_mode": true,
	"session/set_model": true, "session/set_config_option": true, "session/fork": true, "authenticate": true, "logout": true,
	"auth/login": true, "auth/logout": true,
}

func isACP(method string, params *fastjson.Value) bool {
	return acpMethods[method] || acpServerMethods[method] || method == "initialize" && is(params.Get("protocolVersion"), fastjson.TypeNumber)
}

// acp decodes what a message of ACP says of the conversation, besides being a call or a notification of JSON-RPC: the prompt of a
// user, pieces of messages, tool calls and how they go. These belong to the session's workflow, since an agent may have several.
// A loaded session is told again; where messages have ids that adds nothing.
//
// A piece that names no message belongs to the turn: to what stands between a prompt and its answer, as whoever captured it knows.
func (d *decoder) acp(e *Event, v *fastjson.Value) {
	method, params := text(v, "method"), v.Get("params")
	if session, _, ok := strings.Cut(d.frame.Exchange, "/turn/"); ok && method == "" {
		a := acpMessage{d: d, e: e, session: valid(session)}
		end := a.event(KindMessageEnd)
		end.Role, end.IntentID, end.Phase, end.Status = RoleAssistant, a.turn(RoleAssistant), PhaseEnd, e.Status
		end.FinishReason, end.Error = e.FinishReason, e.Error
		return
	}
	if !isACP(method, params) {
		return
	}
	e.Provider = ProviderACP
	session := valid(text(params, "sessionId"))
	a := acpMessage{d: d, e: e, session: session}
	switch method {
	case "session/prompt":
		if said := blocksText(params.Get("prompt")); said != "" {
			p := a.event(KindMessage)
			p.Role, p.IntentID, p.Phase, p.Status = RoleUser, e.IntentID+"/prompt", PhaseEnd, StatusOK
			p.say(FragmentText, "text", said)
		}
	case "session/update":
		if session != "" {
			e.WorkflowID = session
		}
		a.update(params.Get("update"))
	}
}

// acpMessage is one message of ACP while it is decoded.
type acpMessage struct {
	d       *decoder
	e       *Event
	session string
}

func (a *acpMessage) event(kind string) *Event {
	p := a.d.part(a.e)
	p.Kind = kind
	p.WorkflowID = cmp.Or(a.session, a.e.WorkflowID)
	return p
}

func (a *acpMessage) update(u *fastjson.Value) {
	switch text(u, "sessionUpdate") {
	case "user_message_chunk":
		a.piece(u, RoleUser, FragmentText)
	case "agent_message_chunk":
		a.piece(u, RoleAssistant, FragmentText)
	case "agent_thought_chunk":
		a.piece(u, RoleAssistant, FragmentReasoning)
	case "user_message":
		a.whole(u, RoleUser, FragmentText)
	case "agent_message":
		a.whole(u, RoleAssistant, FragmentText)
	case "agent_thought":
		a.whole(u, RoleAssistant, FragmentReasoning)
	case "tool_call", "tool_call_update", "tool_call_content_chunk":
		a.call(u)
	case "session_info_update":
		a.e.Title = valid(text(u, "title"))
	}
}

// turn names the message of pieces that name none: there is one for each role in a turn.
func (a *acpMessage) turn(role string) string { return a.d.intent() + "/" + role }

func (a *acpMessage) piece(u *fastjson.Value, role string, of FragmentType) {
	kind := KindTextDelta
	if of == FragmentReasoning {
		kind = KindReasoningDelta
	}
	p := a.event(kind)
	p.Role, p.Phase, p.IntentID = role, PhaseDelta, a.turn(role)
	if id := text(u, "messageId"); id != "" { // of which nobody says that it is complete
		p.Phase, p.Status, p.IntentID = PhaseEnd, StatusOK, id
	}
	p.piece(Fragment{Part: string(of), Type: of, Text: blocksText(u.Get("content"))})
	p.Text = p.prose()
}

func (a *acpMessage) whole(u *fastjson.Value, role string, of FragmentType) {
	p := a.event(KindMessage)
	p.Role, p.Phase, p.Status, p.IntentID = role, PhaseEnd, StatusOK, cmp.Or(text(u, "messageId"), a.turn(role))
	p.say(of, string(of), blocksText(u.Get("content")))
}

// call decodes a tool call, or what has changed of one. Its name is a title for people; agents that have another tell it beside.
func (a *acpMessage) call(u *fastjson.Value) {
	id := text(u, "toolCallId")
	if id == "" {
		return
	}
	if title := text(u, "title"); title != "" || present(u, "rawInput") {
		p := a.event(KindToolCall)
		p.Phase, p.IntentID, p.CapabilityKind = PhaseStart, id, CapabilityTool
		p.Capability = cmp.Or(textAt(u, "_meta", "claudeCode", "toolName"), toolKind(u), title)
		p.Text, p.Payload = title, cmp.Or(render(u.Get("rawInput")), "{}")
	}
	said := acpContent(u)
	switch text(u, "status") {
	case "completed", "failed":
		p := a.event(KindToolResult)
		p.IntentID, p.Phase, p.Status, p.Text = id, PhaseEnd, StatusOK, said
		p.Payload = cmp.Or(render(u.Get("rawOutput")), jsonOrQuoted(said))
		if text(u, "status") == "failed" {
			p.broke(said)
		}
	default:
		if said != "" {
			p := a.event(KindRPCProgress)
			p.IntentID, p.Text = id, said
		}
	}
}

// toolKind is the kind of a tool, such as read or execute, "" for one that is not said.
func toolKind(u *fastjson.Value) string {
	if kind := text(u, "kind"); kind != "other" {
		return kind
	}
	return ""
}

// acpContent joins what a tool call shows: texts, and paths of what it changed.
func acpContent(u *fastjson.Value) string {
	content := u.GetArray("content")
	if one := u.Get("content"); is(one, fastjson.TypeObject) {
		content = []*fastjson.Value{one}
	}
	said := ""
	for _, block := range content {
		s := ""
		switch text(block, "type") {
		case "content":
			s = blocksText(block.Get("content"))
		case "diff":
			s = "changed " + text(block, "path")
		}
		if said != "" && s != "" {
			said += "\n"
		}
		said += s
	}
	return said
}

// acpTurnEnd takes how a turn ended, which is the answer to its prompt.
func acpTurnEnd(e *Event, result *fastjson.Value) {
	e.Provider, e.FinishReason = ProviderACP, text(result, "stopReason")
	if e.FinishReason == "cancelled" {
		e.Status = StatusCancelled
	}
}

// acpRequester is the side that makes a request of ACP, "" where either side may make it.
func acpRequester(method string) streams.Side {
	if acpServerMethods[method] {
		return streams.SideServer
	}
	return ""
}
