package bronze

import (
	"cmp"
	"regexp"
	"strings"

	"github.com/valyala/fastjson"
)

// ProviderA2A is the Agent2Agent protocol, of which all three generations are understood: tasks that only have an id and a
// status, objects that say their kind, and such whose one member does.
const ProviderA2A = "a2a"

// a2aREST decodes what was said in an exchange of A2A's HTTP binding, which carries the same without JSON-RPC around it. The exchange is
// the call; what it asks for its path says.
func (d *decoder) a2aREST(e *Event, v *fastjson.Value) {
	e.IntentID, e.CapabilityKind, e.Provider = d.intent(), CapabilityMethod, ProviderA2A
	if asked := v.Get("message"); is(asked, fastjson.TypeObject) && !strings.HasSuffix(strings.ToLower(text(asked, "role")), "agent") {
		e.Kind, e.Phase, e.Text = KindToolCall, PhaseStart, a2aText(asked)
		e.ParentID = causeOf(v)
		return
	}
	e.Kind, e.Phase, e.Status = KindToolResult, PhaseEnd, StatusOK
	a2aResult(e, v)
}

// a2aPath is how the HTTP binding of A2A is addressed, as far as no other API is addressed so.
var a2aPath = regexp.MustCompile(`/(message:(?:send|stream)|tasks/[^/]+:(?:cancel|subscribe))$`)

// a2aMethods are the methods of JSON-RPC that do the same.
var a2aMethods = map[string]string{
	"send": "SendMessage", "stream": "SendStreamingMessage", "cancel": "CancelTask", "subscribe": "SubscribeToTask",
}

// pathMethod is the method of A2A that a path names, "" if it names none.
func pathMethod(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if !a2aPath.MatchString(path) {
		return ""
	}
	return a2aMethods[path[strings.LastIndexByte(path, ':')+1:]]
}

// a2aRequest takes what a request says to an agent, if it is one of A2A.
func a2aRequest(e *Event, params *fastjson.Value) {
	if message := params.Get("message"); message != nil && isArray(message, "parts") {
		e.Provider, e.Text = ProviderA2A, a2aText(message)
	}
}

// a2aResult takes what a result of A2A says of its call, and reports whether it is one. A task that goes on, or waits for
// someone, leaves the call open; how it ends stands inside the result.
func a2aResult(e *Event, result *fastjson.Value) bool {
	task := result
	for _, member := range []string{"task", "statusUpdate"} {
		if inner := result.Get(member); is(inner, fastjson.TypeObject) {
			task = inner
		}
	}
	state := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(textAt(task, "status", "state"), "TASK_STATE_")), "_", "-")
	switch {
	case state != "":
		e.Text = cmp.Or(a2aText(task.Get("status", "message")), a2aArtifacts(task))
		e.a2aState(state)
	case result.Exists("artifactUpdate"), isArray(result.Get("artifact"), "parts"):
		e.Text = cmp.Or(a2aText(result.Get("artifactUpdate", "artifact")), a2aText(result.Get("artifact")))
		e.Phase, e.Status = PhaseDelta, StatusNone
	case text(result, "kind") == "message", isArray(result.Get("message"), "parts"):
		e.Text = cmp.Or(a2aText(result.Get("message")), a2aText(result))
	default:
		return false
	}
	e.Provider = ProviderA2A
	return true
}

func (e *Event) a2aState(state string) {
	e.FinishReason = state
	switch state {
	case "completed":
		e.Phase, e.Status = PhaseEnd, StatusOK
	case "failed", "rejected":
		e.Phase, e.Status, e.Error = PhaseError, StatusError, cmp.Or(e.Text, "the task was "+state)
	case "canceled", "cancelled":
		e.Phase, e.Status = PhaseEnd, StatusCancelled
	default: // submitted, working, input-required, auth-required
		e.Phase, e.Status = PhaseDelta, StatusNone
	}
}

// a2aText joins the texts of the parts of a message or an artifact.
func a2aText(v *fastjson.Value) string {
	if v == nil {
		return ""
	}
	return blocksText(cmp.Or(v.Get("parts"), v.Get("content"))) // as 0.3's HTTP binding calls them
}

func a2aArtifacts(task *fastjson.Value) string {
	var texts []string
	for _, artifact := range task.GetArray("artifacts") {
		if s := a2aText(artifact); s != "" {
			texts = append(texts, s)
		}
	}
	return strings.Join(texts, "\n")
}
