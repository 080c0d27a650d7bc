package bronze

import (
	"slices"
	"strings"

	"github.com/valyala/fastjson"
)

// piece adds a piece of a message to e, if there is anything in it.
func (e *Event) piece(f Fragment) {
	if f.Text != "" || f.ID != "" || f.Name != "" || f.Whole {
		e.Fragments = append(e.Fragments, f)
	}
}

// wholeMessage makes e an answer that came in one piece instead of as a stream.
func (e *Event) wholeMessage() {
	for i := range e.Fragments {
		e.Fragments[i].Whole = true
	}
	e.end(StatusOK)
}

// prose is the event's text as its pieces tell it, or the reasoning of an event without text. Arguments of tool calls are left
// out, and so are whole parts at the end of a stream, whose text has come in pieces before; of a whole message the text is
// taken.
func (e *Event) prose() string {
	if said := e.pieces(FragmentText, FragmentRefusal); said != "" {
		return said
	}
	return e.pieces(FragmentReasoning)
}

func (e *Event) pieces(types ...FragmentType) string {
	var b strings.Builder
	for _, f := range e.Fragments {
		if slices.Contains(types, f.Type) && (!f.Whole || e.Kind == KindMessageEnd && f.Type == FragmentText) {
			b.WriteString(f.Text)
		}
	}
	return b.String()
}

// delta names e after the most important thing that it carries.
func (e *Event) delta() {
	e.Kind, e.Phase = KindMessageDelta, PhaseDelta
	rank := 0
	for _, f := range e.Fragments {
		switch {
		case f.Whole, f.Type == FragmentFinish:
		case f.Type == FragmentToolCall:
			e.Kind, rank = KindToolCallDelta, 3
		case f.Type != FragmentReasoning && rank < 3:
			e.Kind, rank = KindTextDelta, 2
		case rank < 2:
			e.Kind, rank = KindReasoningDelta, 1
		}
	}
}

func (e *Event) start() { e.Kind, e.Phase = KindMessageStart, PhaseStart }

func (e *Event) end(s Status) { e.Kind, e.Phase, e.Status = KindMessageEnd, PhaseEnd, s }

func (e *Event) fail(message string) {
	e.Kind, e.Phase, e.Status, e.Error = KindStreamError, PhaseError, StatusError, message
}

// usage takes the token counts from usage, an object that may be absent. What a provider counts apart, such as tokens
// read from a cache, is added to the input.
func (e *Event) usage(usage *fastjson.Value, input, output string, moreInput ...string) {
	if !is(usage, fastjson.TypeObject) {
		return
	}
	e.OutputTokens = max(e.OutputTokens, count(usage, output))
	n := count(usage, input)
	if n < 0 {
		return
	}
	for _, key := range moreInput {
		n += max(count(usage, key), 0)
	}
	e.InputTokens = max(e.InputTokens, n)
}

// details takes what of the token counts is told apart, from paths in usage: the input that was read from a cache, and the
// output that was spent on reasoning.
func (e *Event) details(usage *fastjson.Value, cached, reasoning []string) {
	e.CachedTokens = max(e.CachedTokens, count(usage, cached...))
	if reasoning != nil {
		e.ReasoningTokens = max(e.ReasoningTokens, count(usage, reasoning...))
	}
}

// errorText returns what an error says: a string, or the message of an object.
func errorText(v *fastjson.Value) string {
	if v == nil {
		return ""
	}
	if s := v.GetStringBytes(); len(s) > 0 {
		return string(s)
	}
	if s := text(v, "message", "detail", "code", "type", "status"); s != "" {
		return s
	}
	return "unspecified error"
}

// decodeFailure decodes an error that comes instead of an answer, or in the middle of one, as Ollama and OpenAI's imitators send it.
func decodeFailure(e *Event, v *fastjson.Value, _ string) { e.fail(errorText(v.Get("error"))) }
