package bronze

import (
	"slices"
	"strings"
	"time"

	"github.com/valyala/fastjson"

	"assay/internal/capture/mapping"
)

// mapped decodes a user's own event: as any state event, and then by the members that the frame's mapping names. A path that
// leads nowhere leaves what else the event says.
func (d *decoder) mapped(e *Event, v *fastjson.Value) {
	d.state(e, v)
	var duration float64
	for _, field := range mapping.Fields { // in one order, so that all who decode it read the same
		path := d.mapping[field]
		if path == nil {
			continue
		}
		member := v.Get(path...)
		if member == nil || member.Type() == fastjson.TypeNull {
			continue
		}
		if field == mapping.Duration {
			duration = member.GetFloat64()
			continue
		}
		e.take(field, member)
	}
	if e.Error != "" {
		e.Status = StatusError
	}
	if e.Phase == PhaseNone {
		e.Phase = phaseOf(e.Kind, e.Status)
	}
	if e.Phase == PhaseEnd && e.Status == StatusNone {
		e.Status = StatusOK
	}
	d.lasted(e, duration)
}

// lasted has an event that ends something tell when that began, given how many milliseconds it took.
func (d *decoder) lasted(e *Event, duration float64) {
	if !(duration > 0 && duration < durationMax) || e.Time.IsZero() || e.IntentID == "" || e.Phase == PhaseStart || len(d.parts) > 0 {
		return
	}
	start := d.part(e)
	start.Kind, start.Phase, start.IntentID, start.Capability, start.ParentID = e.Kind, PhaseStart, e.IntentID, e.Capability, e.ParentID
	start.Time = e.Time.Add(-time.Duration(duration * float64(time.Millisecond)))
	start.Payload = e.Payload
}

// durationMax bounds the durations, in milliseconds, that are believed: a year.
const durationMax = 365 * 24 * 3600 * 1000

// take takes one field from the member that holds it.
func (e *Event) take(field mapping.Field, member *fastjson.Value) {
	said := scalar(member)
	texts := map[mapping.Field]*string{
		mapping.Workflow: &e.WorkflowID, mapping.Intent: &e.IntentID, mapping.ID: &e.EventID, mapping.Kind: &e.Kind, mapping.Agent: &e.AgentID,
		mapping.Tool: &e.Capability, mapping.Parent: &e.ParentID, mapping.Role: &e.Role, mapping.Text: &e.Text,
	}
	numbers := map[mapping.Field]*int64{
		mapping.InputTokens: &e.InputTokens, mapping.OutputTokens: &e.OutputTokens, mapping.CachedTokens: &e.CachedTokens,
		mapping.ReasoningTokens: &e.ReasoningTokens, mapping.WrittenTokens: &e.WrittenTokens,
	}
	switch {
	case texts[field] != nil && said != "":
		*texts[field] = said
	case field == mapping.Text:
		e.Text = compact(member)
	case numbers[field] != nil:
		if n := count(member); n >= 0 {
			*numbers[field] = n
		}
	case field == mapping.Cost:
		if cost, err := member.Float64(); err == nil && cost >= 0 {
			e.CostUSD = cost
		}
	case field == mapping.Time:
		if t := eventTime(member); !t.IsZero() {
			e.Time = t
		}
	case field == mapping.Status:
		e.Status = statusOf(said)
	case field == mapping.Error:
		e.Error = errorOf(member)
	}
}

// errorOf is what a member says that went wrong: nothing, where it is empty or false.
func errorOf(member *fastjson.Value) string {
	switch member.Type() {
	case fastjson.TypeTrue:
		return "error"
	case fastjson.TypeObject:
		return errorText(member)
	}
	return scalar(member)
}

// Words that end the names of kinds and tell what a mapped event is to its call.
var (
	startWords = []string{"call", "start", "started", "request", "invocation", "begin", "use"}
	endWords   = []string{"result", "end", "ended", "response", "finished", "completed", "done", "error", "failed", "observation"}
)

// phaseOf tells from the last word of a kind whether an event begins something or ends it. What tells a status has ended.
func phaseOf(kind string, status Status) Phase {
	words := strings.FieldsFunc(strings.ToLower(kind), func(r rune) bool { return strings.ContainsRune("_-. /:", r) })
	if len(words) > 0 {
		switch last := words[len(words)-1]; {
		case slices.Contains(endWords, last):
			return PhaseEnd
		case slices.Contains(startWords, last):
			return PhaseStart
		}
	}
	if status != StatusNone {
		return PhaseEnd
	}
	return PhaseNone
}
