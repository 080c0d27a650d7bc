package bronze

import (
	"cmp"
	"strings"

	"github.com/valyala/fastjson"
)

// uiMessage decodes a part of the AI SDK's UI message stream. It names neither session nor model nor time; one stream is one
// message, and each part of it has an id.
func (d *decoder) uiMessage(e *Event, v *fastjson.Value) {
	r := d.record(e, "")
	typ := text(v, "type")
	id := text(v, "id")
	switch typ {
	case "start":
		r.uiEvent(KindMessageStart, PhaseStart)
	case "text-delta":
		r.uiPiece(FragmentText, KindTextDelta, id, text(v, "delta"))
	case "reasoning-delta":
		r.uiPiece(FragmentReasoning, KindReasoningDelta, id, text(v, "delta"))
	case "tool-input-available":
		r.call(text(v, "toolCallId"), text(v, "toolName"), jsonText(v.Get("input")))
	case "tool-input-error", "tool-output-error":
		answer := r.answer(text(v, "toolCallId"))
		answer.Capability, answer.Payload = text(v, "toolName"), "null"
		answer.broke(text(v, "errorText"))
	case "tool-output-available":
		if v.GetBool("preliminary") {
			break // a later one replaces it
		}
		answer := r.answer(text(v, "toolCallId"))
		answer.Payload = cmp.Or(render(v.Get("output")), "null")
		answer.Text = cmp.Or(blocksText(v.Get("output")), answer.Payload)
	case "tool-output-denied":
		answer := r.answer(text(v, "toolCallId"))
		answer.Payload, answer.Status, answer.Error = "null", StatusCancelled, "denied"
	case "finish":
		end := r.uiEvent(KindMessageEnd, PhaseEnd)
		end.Status, end.FinishReason = StatusOK, text(v, "finishReason")
	case "abort":
		end := r.uiEvent(KindMessageEnd, PhaseEnd)
		end.Status, end.Error = StatusCancelled, cmp.Or(text(v, "reason"), "aborted")
	case "error":
		failure := r.uiEvent(KindStreamError, PhaseError)
		failure.broke(text(v, "errorText"))
	}
	if r.begun == 0 {
		part := r.uiEvent(KindMessageDelta, PhaseDelta)
		if strings.HasPrefix(typ, "data-") {
			part.Payload = render(v.Get("data"))
		}
	}
}

func (r *record) uiEvent(kind string, phase Phase) *Event {
	e := r.event(kind)
	e.IntentID, e.Phase, e.Role = e.StreamID, phase, RoleAssistant
	return e
}

func (r *record) uiPiece(typ FragmentType, kind, id, piece string) {
	e := r.uiEvent(kind, PhaseDelta)
	e.piece(Fragment{Part: string(typ) + "/" + id, Type: typ, Text: piece})
	e.Text = piece
}
