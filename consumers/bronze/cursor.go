package bronze

import (
	"cmp"

	"github.com/valyala/fastjson"
)

// cursor decodes a line of a transcript of Cursor: a message, and no session, id or time. Calls of tools have no id, so they are part of
// the message that asks for them.
func (d *decoder) cursor(e *Event, v *fastjson.Value) {
	r := d.record(e, "")
	content := v.Get("message", "content")
	if text(v, "role") == RoleUser {
		r.blocksOfUser(content)
	} else {
		m := r.blocksOfAnswer(content)
		m.Capability = text(v, "model")
	}
	r.noteIfNothing()
}

// blocksOfUser takes a user's content: what was typed, and what tools answered.
func (r *record) blocksOfUser(content *fastjson.Value) {
	for _, block := range content.GetArray() {
		if typ := text(block, "type"); typ == "tool_result" || typ == "tool-result" {
			r.blockOfResult(block)
		}
	}
	if said := claudePrompt(content); said != "" && r.begun == 0 {
		r.message(RoleUser, "").say(FragmentText, "0", said)
	}
}

func (r *record) blockOfResult(block *fastjson.Value) {
	e := r.answer(text(block, "tool_use_id", "toolCallId", "id"))
	content := block.Get("content")
	e.Capability, e.Payload, e.Text = text(block, "name"), cmp.Or(render(content), `""`), blocksText(content)
	if block.GetBool("is_error") || block.GetBool("isError") {
		e.broke(e.Text)
	}
}

// blocksOfAnswer takes a model's content: reasoning, text, and calls of tools. A block of an unknown type with a text says that.
func (r *record) blocksOfAnswer(content *fastjson.Value) *Event {
	e := r.message(RoleAssistant, "")
	e.say(FragmentText, "0", string(content.GetStringBytes()))
	var calls []*fastjson.Value
	for i, block := range content.GetArray() {
		part := decimal(i)
		switch typ := text(block, "type"); typ {
		case "thinking", "reasoning":
			e.say(FragmentReasoning, part, text(block, "thinking", "text"))
		case "tool_use", "tool_call", "tool-call":
			if text(block, "id", "toolCallId") != "" {
				calls = append(calls, block)
				continue
			}
			e.piece(Fragment{
				Part: part, Type: FragmentToolCall, Name: text(block, "name", "toolName"), Text: cmp.Or(render(cmp.Or(block.Get("input"), block.Get("args"))), "{}"), Whole: true,
			})
		default:
			e.say(FragmentText, part, text(block, "text"))
		}
	}
	for _, block := range calls {
		r.call(text(block, "id", "toolCallId"), text(block, "name", "toolName"), render(cmp.Or(block.Get("input"), block.Get("args"))))
	}
	return e
}
