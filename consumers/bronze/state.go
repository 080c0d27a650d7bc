package bronze

import (
	"cmp"
	"slices"
	"strings"

	"github.com/valyala/fastjson"

	"assay/internal/capture/mapping"
)

// The names under which producers write the same thing, the first one preferred.
var (
	keysKind     = []string{"topology_class", "type", "event_type"}
	keysEventID  = []string{"event_cid", "event_id", "event_uuid"}
	keysIntent   = []string{"intent_id", "intent_cid"}
	keysWorkflow = []string{"workflow_id", "workflow_cid"}
	keysAgent    = []string{"agent_id", "source_node_cid", "agent_cid", "node_cid", "node_id", "agent_name", "agent"}
	keysParent   = []string{"triggering_invocation_cid", "parent_event_cid", "parent_event_id", "parent_id", "causation_id"}
	keysTool     = []string{"tool_name", "tool", "capability", "model"}
	keysTime     = []string{"timestamp", "ts", "time", "occurred_at", "event_time", "created_at"}
)

// keysMeasured are the numbers that a state event may tell, under the names that mappings have for them.
var keysMeasured = []mapping.Field{mapping.InputTokens, mapping.OutputTokens, mapping.CachedTokens, mapping.WrittenTokens, mapping.ReasoningTokens, mapping.Cost}

// state decodes a state event: a JSON object that says by itself what it is.
func (d *decoder) state(e *Event, v *fastjson.Value) {
	e.Kind = cmp.Or(text(v, keysKind...), retractionKind(v), KindEvent)
	e.context(v)
	e.retraction(v)
	switch e.Kind {
	case KindToolInvocation:
		e.Phase = PhaseStart
		e.Text = invocationText(v.Get("parameters"))
	case KindObservation:
		e.Phase = PhaseEnd
		e.outcome(v)
		e.Text = observationText(v)
		if e.Status == StatusError && e.Error == "" {
			e.Error = e.Text
		}
	case KindPromotion:
		e.Phase = PhaseEnd
	case KindContinuous, KindContinuousState:
		d.continuous(e)
	case KindNodeStarted:
		e.Phase = PhaseStart
		e.Text = memberText(v)
	case KindTokenChunk:
		tokenChunk(e, v)
	case KindToolExecution:
		toolExecution(e, v)
	case KindStateTransitioned:
		e.Text = transitionText(v)
	default:
		e.outcome(v)
		e.Text = memberText(v)
		duration := v.Get(string(mapping.Duration))
		if duration == nil {
			duration = v.Get("payload", string(mapping.Duration))
		}
		if d.mapping[mapping.Duration] == nil && is(duration, fastjson.TypeNumber) {
			d.lasted(e, duration.GetFloat64())
		}
	}
}

// context takes what state events of all kinds say about where they belong. What is missing at the top may stand in
// the payload.
func (e *Event) context(v *fastjson.Value) {
	find := func(keys []string) string {
		if s := text(v, keys...); s != "" {
			return s
		}
		return text(v.Get("payload"), keys...)
	}
	e.EventID = text(v, keysEventID...)
	e.IntentID = find(keysIntent)
	e.AgentID = find(keysAgent)
	e.ParentID = find(keysParent)
	if e.Capability = find(keysTool); e.Capability != "" {
		e.CapabilityKind = CapabilityTool
		if e.Capability == find([]string{"model"}) {
			e.CapabilityKind = CapabilityModel
		}
	}
	if workflow := find(keysWorkflow); workflow != "" {
		e.WorkflowID = workflow
	}
	for _, m := range []*fastjson.Value{v.Get("payload"), v} {
		for _, field := range keysMeasured {
			if member := m.Get(string(field)); is(member, fastjson.TypeNumber) {
				e.take(field, member)
			}
		}
	}
	for _, key := range keysTime {
		if t := eventTime(v.Get(key)); !t.IsZero() {
			e.Time = t
			return
		}
	}
}

// outcome takes a status that v or its payload tells.
func (e *Event) outcome(v *fastjson.Value) {
	for _, m := range []*fastjson.Value{v, v.Get("payload")} {
		if !is(m, fastjson.TypeObject) {
			continue
		}
		failed := isTrue(m, "is_error", "isError") || m.Exists("success") && is(m.Get("success"), fastjson.TypeFalse)
		if err := m.Get("error"); is(err, fastjson.TypeString) && len(err.GetStringBytes()) > 0 || is(err, fastjson.TypeObject) {
			failed, e.Error = true, errorText(err)
		}
		status := statusOf(text(m, "status"))
		if failed {
			status = StatusError
		}
		if status != StatusNone {
			e.Status = status
			return
		}
	}
	if e.Phase == PhaseEnd {
		e.Status = StatusOK
	}
}

func statusOf(status string) Status {
	switch strings.ToLower(status) {
	case "ok", "success", "succeeded", "completed", "complete", "done", "finished":
		return StatusOK
	case "error", "errored", "failed", "failure":
		return StatusError
	case "cancelled", "canceled", "aborted":
		return StatusCancelled
	}
	return StatusNone
}

func invocationText(parameters *fastjson.Value) string {
	if s := text(parameters, "thought"); s != "" {
		return s
	}
	return string(parameters.GetStringBytes())
}

// observationText is the payload if it is text, else its best-known member, else all of its strings.
func observationText(v *fastjson.Value) string {
	payload := v.Get("payload")
	if !is(payload, fastjson.TypeObject) {
		if s := string(payload.GetStringBytes()); s != "" {
			return s
		}
		return memberText(v)
	}
	if s := anyText(payload); s != "" {
		return s
	}
	var texts []string
	payload.GetObject().Visit(func(_ []byte, member *fastjson.Value) {
		if s := member.GetStringBytes(); len(s) > 0 {
			texts = append(texts, string(s))
		}
	})
	return strings.Join(texts, "\n")
}

// memberText is the text of v or else of its payload.
func memberText(v *fastjson.Value) string {
	if s := anyText(v); s != "" {
		return s
	}
	payload := v.Get("payload")
	if s := payload.GetStringBytes(); len(s) > 0 {
		return string(s)
	}
	return anyText(payload)
}

// tokenChunk decodes a piece of a model's text that a framework passes on. The last one may say so in many ways.
func tokenChunk(e *Event, v *fastjson.Value) {
	e.Phase = PhaseDelta
	e.Text = memberText(v)
	for _, m := range []*fastjson.Value{v, v.Get("payload")} {
		if reason := text(m, "finish_reason"); reason != "" {
			e.FinishReason = reason
		}
		if e.FinishReason != "" || isTrue(m, "is_final", "is_last", "final", "last", "done") {
			e.Phase, e.Status = PhaseEnd, StatusOK
		}
	}
	e.piece(Fragment{Part: "0/text", Type: FragmentText, Text: e.Text})
}

// toolExecution decodes the progress of a tool.
func toolExecution(e *Event, v *fastjson.Value) {
	e.outcome(v)
	e.Text = memberText(v)
	switch e.Status {
	case StatusOK, StatusCancelled:
		e.Phase = PhaseEnd
	case StatusError:
		e.Phase = PhaseError
	default:
		e.Phase = PhaseDelta
		if slices.Contains([]string{"started", "start", "pending", "queued"}, strings.ToLower(text(v, "status"))) {
			e.Phase = PhaseStart
		}
	}
}

func transitionText(v *fastjson.Value) string {
	for _, m := range []*fastjson.Value{v, v.Get("payload")} {
		from, to := text(m, "from_state", "from", "old_state"), text(m, "to_state", "to", "new_state")
		if from != "" || to != "" {
			return from + " → " + to
		}
	}
	return memberText(v)
}
