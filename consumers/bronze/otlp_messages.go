package bronze

import (
	"cmp"
	"strings"

	"github.com/valyala/fastjson"
)

// message is what a convention tells of one message.
type message struct {
	role, text, reasoning, finish string
	calls                         []messageCall
	answers                       []messageAnswer
}

type messageCall struct{ id, name, arguments string }

type messageAnswer struct{ id, payload, text string }

func (m *message) empty() bool {
	return m.text == "" && m.reasoning == "" && len(m.calls) == 0 && len(m.answers) == 0
}

// parseMessages reads a list of messages, or one. role is that of messages which name none.
func parseMessages(v *fastjson.Value, role string) (all []message) {
	switch {
	case v == nil:
		return nil
	case is(v, fastjson.TypeString):
		if s := string(v.GetStringBytes()); s != "" {
			return []message{{role: cmp.Or(role, RoleUser), text: s}}
		}
	case is(v, fastjson.TypeObject):
		if m := parseMessage(v, role); !m.empty() {
			return []message{m}
		}
	}
	for _, element := range v.GetArray() {
		if lists := element.GetArray(); lists != nil { // LangChain: a list of lists
			all = append(all, parseMessages(element, role)...)
			continue
		}
		if m := parseMessage(element, role); !m.empty() {
			all = append(all, m)
		}
	}
	return all
}

// parseMessage reads a message in any of the shapes that providers and conventions give it.
func parseMessage(v *fastjson.Value, role string) message {
	if inner := v.Get("message"); is(inner, fastjson.TypeObject) {
		m := parseMessage(inner, role)
		m.finish = cmp.Or(m.finish, text(v, "finish_reason"))
		return m
	}
	if kwargs := v.Get("kwargs"); is(kwargs, fastjson.TypeObject) { // LangChain's serialisation
		v = kwargs
	}
	if inner := v.Get("content"); is(inner, fastjson.TypeObject) && isArray(inner, "parts") { // Gemini's candidates
		m := parseMessage(inner, role)
		m.finish = text(v, "finishReason", "finish_reason")
		return m
	}
	m := message{role: roleOf(text(v, "role", "type"), role), finish: text(v, "finish_reason")}
	content := v.Get("content")
	if is(content, fastjson.TypeString) {
		m.text = string(content.GetStringBytes())
	}
	for _, list := range []*fastjson.Value{v.Get("parts"), content} {
		for _, part := range list.GetArray() {
			m.part(part)
		}
	}
	if isString(v, "type") && content != nil && v.Get("role") == nil && !isArray(v, "parts") {
		m.part(v)
	}
	m.reasoning = joinLines(m.reasoning, text(v, "reasoning", "reasoning_content", "thinking"))
	m.addCalls(cmp.Or(v.Get("tool_calls"), v.Get("additional_kwargs", "tool_calls")))
	if m.role == RoleTool && len(m.answers) == 0 {
		m.answers = append(m.answers, messageAnswer{text(v, "tool_call_id", "id"), jsonOrQuoted(m.text), m.text})
	}
	return m
}

// part reads a part of a message: a text, reasoning, a tool call or a tool's answer. Others are left out.
func (m *message) part(p *fastjson.Value) {
	if is(p, fastjson.TypeString) {
		m.text = joinLines(m.text, string(p.GetStringBytes()))
		return
	}
	switch text(p, "type") {
	case "tool_call", "tool-call", "tool_use", "toolCall", "server_tool_call":
		arguments := p.Get("arguments")
		for _, key := range []string{"input", "args"} {
			if arguments == nil {
				arguments = p.Get(key)
			}
		}
		m.calls = append(m.calls, messageCall{text(p, "id", "toolCallId"), text(p, "name", "toolName"), jsonText(arguments)})
		return
	case "tool_call_response", "tool-result", "tool_result", "tool_response":
		response := p.Get("response")
		for _, key := range []string{"result", "output", "content"} {
			if response == nil {
				response = p.Get(key)
			}
		}
		payload := cmp.Or(render(response), "null")
		m.answers = append(m.answers, messageAnswer{text(p, "id", "toolCallId", "tool_use_id", "tool_call_id"), payload, cmp.Or(blocksText(response), payload)})
		return
	case "reasoning", "thinking":
		m.reasoning = joinLines(m.reasoning, text(p, "content", "text", "thinking"))
		return
	}
	if call := p.Get("function_call"); call != nil {
		m.calls = append(m.calls, messageCall{text(call, "id"), text(call, "name"), jsonText(call.Get("args"))})
		return
	}
	if response := p.Get("function_response"); response != nil {
		payload := cmp.Or(render(response.Get("response")), "null")
		m.answers = append(m.answers, messageAnswer{text(response, "id"), payload, payload})
		return
	}
	m.text = joinLines(m.text, text(p, "content", "text"))
}

// addCalls reads the tool calls of a message as OpenAI writes them.
func (m *message) addCalls(list *fastjson.Value) {
	for _, call := range list.GetArray() {
		if inner := call.Get("tool_call"); inner != nil {
			call = inner
		}
		name := cmp.Or(textAt(call, "function", "name"), text(call, "name"))
		arguments := call.Get("function", "arguments")
		for _, key := range []string{"args", "arguments"} {
			if arguments == nil {
				arguments = call.Get(key)
			}
		}
		if name != "" {
			m.calls = append(m.calls, messageCall{text(call, "id"), name, jsonText(arguments)})
		}
	}
}

// jsonText is a text that is JSON as it is, or another value as JSON.
func jsonText(v *fastjson.Value) string {
	if is(v, fastjson.TypeString) {
		return string(v.GetStringBytes())
	}
	return render(v)
}

func joinLines(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n" + b
}

// roleOf returns the role that a name of one means, fallback if it means none.
func roleOf(name, fallback string) string {
	switch strings.ToLower(name) {
	case "user", "human":
		return RoleUser
	case "assistant", "ai", "model", "aimessagechunk":
		return RoleAssistant
	case "system", "developer":
		return RoleSystem
	case "tool", "function":
		return RoleTool
	}
	return cmp.Or(fallback, RoleUser)
}
