package bronze

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"
)

// geminiCLI decodes a chat of Gemini CLI: the whole of it in one object, or a line of a log that adds messages, replaces them
// by id and patches the chat. A message that was replaced in the model's context stays in the memory.
func (d *decoder) geminiCLI(e *Event, v *fastjson.Value) {
	e.Provider = ProviderGemini
	if session := text(v, "sessionId"); session != "" {
		e.WorkflowID = valid(session)
	}
	r := d.record(e, "")
	switch {
	case isArray(v, "messages"):
		for _, m := range v.GetArray("messages") {
			r.geminiMessage(m)
		}
	case isArray(v.Get("$set"), "messages"):
		for _, m := range v.Get("$set").GetArray("messages") {
			r.geminiMessage(m)
		}
	case v.Exists("type"):
		r.geminiMessage(v)
	}
	r.noteIfNothing()
}

// geminiMessage decodes one message, with the tool calls and results that stand in it.
func (r *record) geminiMessage(m *fastjson.Value) {
	at := eventTime(m.Get("timestamp"))
	id := text(m, "id")
	var role string
	switch text(m, "type", "role") {
	case "user":
		role = RoleUser
	case "gemini", "model", "assistant":
		role = RoleAssistant
	case "error":
		e := r.event(KindAgentError)
		e.Time, e.Phase = at, PhaseError
		e.broke(blocksText(m.Get("content")))
		r.version(e, id)
		return
	default:
		return // what the program tells its user
	}
	said := geminiText(m)
	if role == RoleUser && said == "" {
		return // what tools answered, which stands with their calls
	}
	e := r.message(role, id)
	e.Time = at
	e.say(FragmentText, "0", said)
	if role == RoleUser {
		r.version(e, id)
		return
	}
	e.Capability = text(m, "model")
	for i, thought := range m.GetArray("thoughts") {
		e.say(FragmentReasoning, "thought/"+strconv.Itoa(i), strings.TrimSpace(text(thought, "subject")+"\n"+text(thought, "description")))
	}
	if t := m.Get("tokens"); t != nil {
		output, thoughts := count(t, "output"), count(t, "thoughts")
		if output >= 0 {
			output += max(thoughts, 0)
		}
		e.tokens(count(t, "input"), output, count(t, "cached"), thoughts)
	}
	r.version(e, id)
	for _, call := range m.GetArray("toolCalls") {
		r.geminiCall(call, id)
	}
}

func geminiText(m *fastjson.Value) string {
	if isArray(m, "parts") {
		return blocksText(m.Get("parts"))
	}
	return blocksText(m.Get("content"))
}

func (r *record) geminiCall(call *fastjson.Value, message string) {
	id := text(call, "id")
	args := call.Get("args")
	arguments := render(args)
	if is(args, fastjson.TypeString) {
		arguments = string(args.GetStringBytes())
	}
	e := r.call(id, text(call, "name"), arguments)
	e.Time = eventTime(call.Get("timestamp"))
	r.version(e, message+"/"+id)
	status := text(call, "status")
	if status != "success" && status != "error" && status != "cancelled" {
		return
	}
	answer := r.answer(id)
	response := call.Get("result", "0", "functionResponse", "response")
	answer.Time = e.Time
	answer.Payload = cmp.Or(render(response), render(call.Get("resultDisplay")), "null")
	answer.Text = text(response, "output", "error")
	if answer.Text == "" {
		answer.Text = text(call, "resultDisplay")
	}
	switch status {
	case "error":
		answer.broke(answer.Text)
	case "cancelled":
		answer.Status = StatusCancelled
	}
	r.version(answer, message+"/"+id)
}
