package bronze

import (
	"cmp"

	"github.com/valyala/fastjson"
)

// agui decodes an event of AG-UI. Messages and tool calls have ids of their own and may interleave. Pieces of a call's
// arguments name the call but no message, so the stream stands for the message that asks for it.
func (d *decoder) agui(e *Event, v *fastjson.Value) {
	e.Time = eventTime(v.Get("timestamp"))
	if thread := text(v, "threadId"); thread != "" {
		e.WorkflowID = valid(thread)
	}
	r := d.record(e, "")
	switch typ := text(v, "type"); typ {
	case "RUN_STARTED":
		r.run(v).Phase = PhaseStart
	case "RUN_FINISHED":
		run := r.run(v)
		run.Phase, run.Status = PhaseEnd, StatusOK
		run.FinishReason = cmp.Or(text(v, "outcome"), textAt(v, "outcome", "type"))
	case "RUN_ERROR":
		failure := r.event(KindAgentError)
		failure.Phase = PhaseError
		failure.broke(text(v, "message"))
	case "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "TEXT_MESSAGE_CHUNK":
		r.aguiPiece(v, typ, FragmentText)
	case "REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_END", "REASONING_MESSAGE_CHUNK",
		"THINKING_TEXT_MESSAGE_START", "THINKING_TEXT_MESSAGE_CONTENT", "THINKING_TEXT_MESSAGE_END":
		r.aguiPiece(v, typ, FragmentReasoning)
	case "TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_CHUNK":
		r.aguiCall(v)
	case "TOOL_CALL_RESULT":
		answer := r.answer(text(v, "toolCallId"))
		answer.Text = text(v, "content")
		answer.Payload = jsonOrQuoted(answer.Text)
	case "MESSAGES_SNAPSHOT":
		r.aguiMessages(v)
	}
	r.noteIfNothing()
}

// aguiRequest decodes what a client asks of an agent: the conversation so far, of which each message has an id.
func (d *decoder) aguiRequest(e *Event, v *fastjson.Value) {
	e.WorkflowID = valid(text(v, "threadId"))
	r := d.record(e, "")
	r.aguiMessages(v)
	r.noteIfNothing()
}

func (r *record) run(v *fastjson.Value) *Event {
	run := r.event(KindAgentRun)
	run.IntentID = text(v, "runId")
	return run
}

// aguiPiece decodes what a message begins with, a piece of it, or its end.
func (r *record) aguiPiece(v *fastjson.Value, typ string, of FragmentType) {
	piece := text(v, "delta")
	kind, phase := KindTextDelta, PhaseDelta
	if of == FragmentReasoning {
		kind = KindReasoningDelta
	}
	switch typ[len(typ)-4:] {
	case "TART":
		kind, phase = KindMessageStart, PhaseStart
	case "_END":
		kind, phase = KindMessageEnd, PhaseEnd
	}
	e := r.event(kind)
	e.IntentID, e.Phase = cmp.Or(text(v, "messageId"), e.StreamID), phase
	e.Role = roleOf(text(v, "role"), RoleAssistant)
	if phase == PhaseEnd {
		e.Status = StatusOK
	}
	e.piece(Fragment{Part: string(of), Type: of, Text: piece})
	e.Text = piece
}

// aguiCall decodes the beginning of a call, and a piece of its arguments.
func (r *record) aguiCall(v *fastjson.Value) {
	id, name := text(v, "toolCallId"), text(v, "toolCallName")
	part := Fragment{Part: "call/" + id, Type: FragmentToolCall, ID: id}
	e := r.event(KindToolCallDelta)
	e.IntentID, e.Phase = e.StreamID, PhaseDelta
	piece := part
	piece.Name, piece.Text = name, text(v, "delta")
	e.piece(piece)
	if name == "" {
		return
	}
	call := r.event(KindToolCall)
	call.IntentID, call.Capability, call.Phase, call.ParentID = id, name, PhaseStart, e.IntentID
	call.Fragments = []Fragment{part} // says where the arguments are
}

// aguiMessages decodes a list of messages, each known by its id and what it says.
func (r *record) aguiMessages(v *fastjson.Value) {
	for _, m := range v.GetArray("messages") {
		id, said := text(m, "id"), blocksText(m.Get("content"))
		switch role := roleOf(text(m, "role"), RoleUser); {
		case role == RoleTool:
			answer := r.answer(text(m, "toolCallId"))
			answer.Payload, answer.Text = jsonOrQuoted(said), said
			r.version(answer, id)
		case role != RoleAssistant && said != "": // what the agent said, its own run told
			e := r.message(role, id)
			e.say(FragmentText, "0", said)
			r.version(e, id)
		}
	}
}
