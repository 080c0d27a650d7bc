package bronze

import (
	"strconv"

	"github.com/valyala/fastjson"
)

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
