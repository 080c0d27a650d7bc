package bronze

import (
	"cmp"
	"strconv"

	"github.com/valyala/fastjson"
)

// pi decodes a line of a session of pi, of OpenClaw, which writes the same, or of Droid, whose messages are like Claude Code's in it. Only the first line names the session, so the
// workflow is the frame's; ids of entries are short, and their own within it.
func (d *decoder) pi(e *Event, v *fastjson.Value) {
	e.Time = eventTime(v.Get("timestamp"))
	id := text(v, "id")
	if id != "" {
		id = valid(e.WorkflowID) + "/" + id
	}
	r := d.record(e, id)
	switch text(v, "type") {
	case "message":
		r.piMessage(v.Get("message"))
	case "compaction", "branch_summary":
		r.event(KindCompaction).Text = text(v, "summary")
	case "custom_message":
		r.message(RoleSystem, "").say(FragmentText, "0", blocksText(v.Get("content")))
	case "session_info", "session_start":
		r.note().Title = text(v, "name", "sessionTitle", "title")
	}
	r.noteIfNothing()
}

func (r *record) piMessage(m *fastjson.Value) {
	switch text(m, "role") {
	case "user":
		r.blocksOfUser(m.Get("content"))
	case "assistant":
		r.piAnswer(m)
	case "toolResult":
		e := r.answer(text(m, "toolCallId"))
		e.Capability = text(m, "toolName")
		e.Payload, e.Text = cmp.Or(render(m.Get("content")), "null"), blocksText(m.Get("content"))
		if m.GetBool("isError") {
			e.broke(e.Text)
		}
	case "bashExecution":
		e := r.call("", "bash", string(appendQuoted(nil, m.GetStringBytes("command"))))
		call := e.IntentID
		answer := r.answer(call)
		answer.Payload, answer.Text = render(m), text(m, "output")
		if code := count(m, "exitCode"); code > 0 {
			answer.broke(answer.Text)
		}
		if m.GetBool("cancelled") {
			answer.Status = StatusCancelled
		}
	case "branchSummary", "compactionSummary":
		r.event(KindCompaction).Text = text(m, "summary")
	case "custom":
		r.message(RoleSystem, "").say(FragmentText, "0", blocksText(m.Get("content")))
	}
}

func (r *record) piAnswer(m *fastjson.Value) {
	e := r.message(RoleAssistant, "")
	e.Capability, e.Provider, e.FinishReason = text(m, "model"), text(m, "provider"), text(m, "stopReason")
	content := m.Get("content")
	if s := content.GetStringBytes(); len(s) > 0 {
		e.say(FragmentText, "0", string(s))
	}
	for i, block := range content.GetArray() {
		switch text(block, "type") {
		case "text":
			e.say(FragmentText, strconv.Itoa(i), text(block, "text"))
		case "thinking":
			e.say(FragmentReasoning, strconv.Itoa(i), text(block, "thinking"))
		}
	}
	if u := m.Get("usage"); u != nil {
		input, cached := count(u, "input"), count(u, "cacheRead")
		if input >= 0 {
			input += max(cached, 0) + max(count(u, "cacheWrite"), 0)
		}
		e.tokens(input, count(u, "output"), cached, -1)
		e.written(count(u, "cacheWrite"), -1)
		if cost := u.Get("cost", "total"); cost != nil {
			e.CostUSD = cost.GetFloat64()
		}
	}
	switch e.FinishReason {
	case "error":
		e.broke(text(m, "errorMessage"))
	case "aborted":
		e.Status, e.Error = StatusCancelled, text(m, "errorMessage")
	}
	for _, block := range content.GetArray() {
		switch text(block, "type") {
		case "toolCall":
			r.call(text(block, "id"), text(block, "name"), render(block.Get("arguments")))
		case "tool_use": // Droid's
			r.call(text(block, "id"), text(block, "name"), render(block.Get("input")))
		}
	}
}
