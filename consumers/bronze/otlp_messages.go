package bronze

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"strconv"
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

// otlpInput returns what a model was asked, from the first convention that tells it. It is looked for once.
func otlpInput(s *span) []message {
	if !s.heard {
		s.input, s.heard = inputOf(s), true
	}
	return s.input
}

func inputOf(s *span) []message {
	a := s.attributes
	for _, tell := range []func() []message{
		func() []message {
			system := parseMessages(a.json("gen_ai.system_instructions"), RoleSystem)
			return append(system, parseMessages(a.json("gen_ai.input.messages"), "")...)
		},
		func() []message { return s.detail("gen_ai.input.messages") },
		func() []message { input, _ := s.messageEvents(); return input },
		func() []message { return indexedMessages(a, "llm.input_messages.", ".message.") },
		func() []message { return indexedMessages(a, "gen_ai.prompt.", ".") },
		func() []message { return parseMessages(a.json("ai.prompt.messages"), "") },
		func() []message { return vertexRequest(a.json("gcp.vertex.agent.llm_request")) },
		func() []message { input, _ := listedEvents(a); return input },
		func() []message {
			return looseMessages(a, RoleUser, "gen_ai.prompt", "langfuse.observation.input", "input.value",
				"traceloop.entity.input", "mlflow.spanInputs", "ai.prompt", "genkit:input", "lk.chat_ctx")
		},
	} {
		if input := tell(); len(input) > 0 {
			return input
		}
	}
	return nil
}

// otlpOutput returns what a model answered, from the first convention that tells it.
func otlpOutput(s *span) []message {
	a := s.attributes
	for _, tell := range []func() []message{
		func() []message { return parseMessages(a.json("gen_ai.output.messages"), RoleAssistant) },
		func() []message { return s.detail("gen_ai.output.messages") },
		func() []message { _, output := s.messageEvents(); return output },
		func() []message { return indexedMessages(a, "llm.output_messages.", ".message.") },
		func() []message { return indexedMessages(a, "gen_ai.completion.", ".") },
		func() []message { return aiSDKAnswer(a) },
		func() []message { return parseMessages(a.json("gcp.vertex.agent.llm_response"), RoleAssistant) },
		func() []message { _, output := listedEvents(a); return output },
		func() []message {
			return looseMessages(a, RoleAssistant, "gen_ai.completion", "langfuse.observation.output", "gen_ai.output", "output.value",
				"traceloop.entity.output", "mlflow.spanOutputs", "genkit:output", "lk.response.text")
		},
	} {
		if output := tell(); len(output) > 0 {
			return output
		}
	}
	return nil
}

// detail reads messages from the event that carries them beside the span's attributes.
func (s *span) detail(key string) []message {
	for _, event := range s.events {
		if text(event, "name") == "gen_ai.client.inference.operation.details" {
			return parseMessages(attributesOf(event.Get("attributes")).json(key), "")
		}
	}
	return nil
}

// messageEvents reads the events that each tell one message.
func (s *span) messageEvents() (input, output []message) {
	for _, event := range s.events {
		a := attributesOf(event.Get("attributes"))
		switch name := text(event, "name"); name {
		case "gen_ai.content.prompt":
			input = append(input, looseMessages(a, RoleUser, "gen_ai.prompt")...)
		case "gen_ai.content.completion":
			output = append(output, looseMessages(a, RoleAssistant, "gen_ai.completion")...)
		default:
			if m, answer, ok := eventMessage(name, a.json("body", "message"), a); ok && answer {
				output = append(output, m)
			} else if ok {
				input = append(input, m)
			}
		}
	}
	return input, output
}

// eventMessage reads an event of a name such as gen_ai.user.message from its body or else its attributes; answer says that
// the model gave it.
func eventMessage(name string, body *fastjson.Value, a attributes) (m message, answer, ok bool) {
	var role string
	switch name {
	case "gen_ai.system.message":
		role = RoleSystem
	case "gen_ai.user.message":
		role = RoleUser
	case "gen_ai.assistant.message":
		role = RoleAssistant
	case "gen_ai.tool.message":
		role = RoleTool
	case "gen_ai.choice":
		role, answer = RoleAssistant, true
	default:
		return m, false, false
	}
	switch {
	case body != nil && is(body.Get("message"), fastjson.TypeObject):
		m = parseMessage(body.Get("message"), role)
		m.finish = text(body, "finish_reason")
	case is(body, fastjson.TypeObject):
		m = parseMessage(body, role)
		m.finish = text(body, "finish_reason")
	default:
		m = message{role: role, text: a.text("content", "gen_ai.event.content", "message"), finish: a.text("finish_reason")}
		m.addCalls(a.json("tool_calls"))
		if id := a.text("id"); role == RoleTool && id != "" {
			m.answers = append(m.answers, messageAnswer{id, jsonOrQuoted(m.text), m.text})
		}
	}
	m.role = role
	return m, answer, !m.empty()
}

// listedEvents reads the messages that pydantic-ai lists in one attribute.
func listedEvents(a attributes) (input, output []message) {
	for _, event := range a.json("all_messages_events", "events").GetArray() {
		m, answer, ok := eventMessage(text(event, "event.name"), event, nil)
		if ok && answer {
			output = append(output, m)
		} else if ok {
			input = append(input, m)
		}
	}
	if input == nil && output == nil {
		input = parseMessages(a.json("pydantic_ai.all_messages", "all_messages"), "")
	}
	return input, output
}

// indexedMessages reads messages that are spread over attributes, one for each member: prefix, number, infix, member.
func indexedMessages(a attributes, prefix, infix string) (all []message) {
	for i := range indexedMax {
		at := prefix + strconv.Itoa(i) + infix
		m := message{
			role: roleOf(a.text(at+"role"), ""), text: a.text(at + "content"), reasoning: a.text(at + "reasoning"),
			finish: a.text(at + "finish_reason"),
		}
		for j := range indexedMax {
			block := at + "contents." + strconv.Itoa(j) + ".message_content."
			if !a.has(block+"type", block+"text", block+"image") {
				break
			}
			m.text = joinLines(m.text, a.text(block+"text"))
		}
		if parsed := a.json(at + "content"); parsed != nil && is(parsed, fastjson.TypeArray) {
			if s := blocksText(parsed); s != "" {
				m.text = s
			} else if m.addCalls(parsed); len(m.calls) > 0 {
				m.text = ""
			}
		}
		for j := range indexedMax {
			call := at + "tool_calls." + strconv.Itoa(j) + "."
			if infix == ".message." {
				call += "tool_call."
			}
			name := a.text(call+"function.name", call+"name")
			if name == "" {
				break
			}
			m.calls = append(m.calls, messageCall{a.text(call + "id"), name, a.text(call+"function.arguments", call+"arguments")})
		}
		if id := a.text(at+"tool_call_id", at+"tool_call.id"); id != "" && m.role == RoleTool {
			m.answers = append(m.answers, messageAnswer{id, jsonOrQuoted(m.text), m.text})
		}
		if m.empty() && !a.has(at+"role") {
			return all
		}
		all = append(all, m)
	}
	return all
}

// indexedMax bounds how many messages, blocks or calls are looked for in attributes.
const indexedMax = 1 << 12

func aiSDKAnswer(a attributes) []message {
	m := message{role: RoleAssistant, text: a.text("ai.response.text", "ai.response.object", "ai.result.text", "ai.result.object"),
		reasoning: a.text("ai.response.reasoning")}
	for _, call := range a.json("ai.response.toolCalls", "ai.result.toolCalls").GetArray() {
		arguments := call.Get("input")
		if arguments == nil {
			arguments = call.Get("args")
		}
		m.calls = append(m.calls, messageCall{text(call, "toolCallId"), text(call, "toolName"), jsonText(arguments)})
	}
	if m.empty() {
		return nil
	}
	return []message{m}
}

// vertexRequest reads a request of the Agent Development Kit.
func vertexRequest(v *fastjson.Value) []message {
	if v == nil {
		return nil
	}
	var all []message
	if system := blocksText(v.Get("config", "system_instruction")); system != "" {
		all = append(all, message{role: RoleSystem, text: system})
	}
	return append(all, parseMessages(v.Get("contents"), "")...)
}

// looseMessages reads an attribute that holds a list of messages, an object with one, or just a text.
func looseMessages(a attributes, role string, keys ...string) []message {
	for _, key := range keys {
		if v := a.json(key); v != nil {
			for _, list := range []*fastjson.Value{v.Get("messages"), v.Get("input"), v.Get("contents"), v.Get("candidates"), v.Get("choices"), v.Get("items"), v} {
				if found := parseMessages(list, role); len(found) > 0 {
					return found
				}
			}
			continue
		}
		if s := a.text(key); s != "" {
			return []message{{role: role, text: s}}
		}
	}
	return nil
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

// history tells what a model was asked. The same messages come with every call of a session, so each is known by its role,
// what it says and how often that was said before it in the list. What the model itself said, its own call tells.
func (x *export) history(s *span, input []message) {
	said := map[string]int{}
	for _, m := range input {
		x.calls(s, m)
		for _, answer := range m.answers {
			x.answer(s, answer)
		}
		if m.role == RoleAssistant || m.role == RoleTool || withheld(m.text) {
			continue
		}
		sum := sha1.Sum([]byte(m.role + "|" + m.text))
		digest := hex.EncodeToString(sum[:])
		intent := m.role + "/" + digest + "/" + strconv.Itoa(said[digest])
		said[digest]++
		e := x.event(s, KindMessage, "")
		e.EventID = valid(s.session + "/" + intent)
		e.Role, e.IntentID, e.AgentID, e.ParentID = m.role, intent, "", ""
		e.Phase, e.Status, e.Time = PhaseEnd, StatusOK, s.start
		e.say(FragmentText, "0", m.text)
	}
}

// calls tells of the tool calls of a message that have ids; others only their own spans can tell apart.
func (x *export) calls(s *span, m message) {
	for _, call := range m.calls {
		if call.id == "" || madeUp(call) {
			continue
		}
		e := x.event(s, KindToolCall, "")
		e.EventID = valid(s.session + "/call/" + call.id)
		e.IntentID, e.Capability, e.Phase, e.Time = call.id, call.name, PhaseStart, s.end
		e.Payload, e.Text = jsonOrQuoted(call.arguments), call.arguments
	}
}

// madeUp knows the ids that an instrumentation gives to calls which have none: the tool's name and a number.
func madeUp(call messageCall) bool {
	number, found := strings.CutPrefix(call.id, call.name+"_")
	return found && strings.Trim(number, "0123456789") == ""
}

func (x *export) answer(s *span, answer messageAnswer) {
	if answer.id == "" {
		return
	}
	e := x.event(s, KindToolResult, "")
	e.EventID = valid(s.session + "/answer/" + answer.id)
	e.IntentID, e.Phase, e.Status, e.Time = answer.id, PhaseEnd, StatusOK, s.start
	e.Payload, e.Text = answer.payload, answer.text
}
