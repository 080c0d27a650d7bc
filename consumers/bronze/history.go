package bronze

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"assay/kernels"
)

// history is the conversation that a request brings. Each request repeats what was said before, so a message is identified by
// what it says: workflow, role, digest, and how often the same was said before in the list. So it is kept once, whatever
// comes first. Nothing that differs among requests may be part of it.
type history struct {
	d     *decoder
	e     *Event
	base  string         // what the request goes on from, if it brings only what is new
	seen  map[string]int // messages so far
	after int            // index of the last answer in the list: what stands before it was told by an earlier request
	calls []asked        // of the last answer
}

// asked is a tool call that the history repeats.
type asked struct{ id, name string }

// lastAnswer returns the index of the last item that a model has said, -1 if there is none.
func lastAnswer(items []*fastjson.Value) int {
	for i, item := range slices.Backward(items) {
		typ := text(item, "type")
		if chatRole(text(item, "role")) == RoleAssistant || strings.HasSuffix(typ, "_call") {
			return i
		}
	}
	return -1
}

// chatRole gives the names that providers have for one role the same.
func chatRole(role string) string {
	switch role = strings.ToLower(role); role {
	case "model", "chatbot", "ai":
		return RoleAssistant
	case "developer":
		return RoleSystem
	case "function":
		return RoleTool
	case "human":
		return RoleUser
	}
	return role
}

// item takes the i-th item of the list: a message, a tool call, or what a tool answered.
func (h *history) item(i int, v *fastjson.Value) {
	if s := v.GetStringBytes(); len(s) > 0 {
		h.message(RoleUser, string(s))
		return
	}
	switch typ := text(v, "type"); {
	case strings.HasSuffix(typ, "_call_output"):
		h.result(i, asked{id: text(v, "call_id", "id")}, v.Get("output"), text(v, "status") == "incomplete")
		return
	case strings.HasSuffix(typ, "_call"):
		h.call(text(v, "call_id", "id"), cmp.Or(text(v, "name"), strings.TrimSuffix(typ, "_call")), argumentsOf(v))
		return
	}
	role, content := chatRole(text(v, "role")), cmp.Or(v.Get("content"), v.Get("parts"), v.Get("message"))
	if role == RoleTool && !isArray(v, "parts") {
		name := text(v, "name", "tool_name")
		h.result(i, asked{text(v, "tool_call_id"), name}, content, isTrue(v, "is_error") || text(v, "status") == "error")
		return
	}
	if role == RoleAssistant {
		h.calls = nil
	}
	said := messageText(content)
	for _, image := range v.GetArray("images") { // Ollama
		said = joinLines(said, attachment("image", image))
	}
	for _, block := range content.GetArray() {
		h.block(i, block)
	}
	h.message(cmp.Or(role, RoleUser), said)
	for _, call := range v.GetArray("tool_calls") {
		h.call(text(call, "id"), cmp.Or(textAt(call, "function", "name"), text(call, "name")), argumentsOf(cmp.Or(call.Get("function"), call)))
	}
}

// block takes what of a message's content is no text.
func (h *history) block(i int, v *fastjson.Value) {
	if call := cmp.Or(v.Get("functionCall"), v.Get("toolUse")); is(call, fastjson.TypeObject) {
		h.call(text(call, "id", "toolUseId"), text(call, "name"), argumentsOf(call))
	}
	if answer := v.Get("functionResponse"); is(answer, fastjson.TypeObject) {
		h.result(i, asked{text(answer, "id"), text(answer, "name")}, answer.Get("response"), answer.Exists("response", "error"))
	}
	if answer := v.Get("toolResult"); is(answer, fastjson.TypeObject) {
		h.result(i, asked{id: text(answer, "toolUseId")}, answer.Get("content"), text(answer, "status") == "error")
	}
	switch typ := text(v, "type"); {
	case strings.HasSuffix(typ, "tool_use"):
		h.call(text(v, "id"), text(v, "name"), argumentsOf(v))
	case strings.HasSuffix(typ, "tool_result"):
		h.result(i, asked{id: text(v, "tool_use_id")}, v.Get("content"), isTrue(v, "is_error"))
	}
}

// message adds what somebody said.
func (h *history) message(role, said string) {
	if strings.TrimSpace(said) == "" {
		return
	}
	what := kernels.JoinStrings(role, digestOf(said))
	n := h.seen[what]
	h.seen[what]++
	p := h.part(KindChatMessage)
	p.Role, p.Text = role, said
	p.EventID = kernels.JoinStrings(KindChatMessage, p.WorkflowID, what, strconv.Itoa(n))
	if h.base != "" {
		p.EventID = kernels.JoinStrings(p.EventID, h.base)
	}
}

// call adds a tool call that an answer has made before.
func (h *history) call(id, name, arguments string) {
	if name == "" {
		return
	}
	id = cmp.Or(id, callID(name, arguments))
	h.calls = append(h.calls, asked{id, name})
	p := h.part(KindToolCallEcho)
	p.Phase, p.IntentID, p.Capability, p.CapabilityKind, p.Payload = PhaseStart, id, name, CapabilityTool, textAsJSON(arguments)
	p.EventID = kernels.JoinStrings(p.Kind, p.WorkflowID, id, digestOf(name+" "+arguments))
}

// result adds what a tool answered. Where the answer does not say which call it belongs to, it is the next of that name.
func (h *history) result(i int, of asked, content *fastjson.Value, failed bool) {
	if of.id == "" {
		at := slices.IndexFunc(h.calls, func(c asked) bool { return of.name == "" || c.name == of.name })
		if at < 0 {
			return
		}
		of.id = h.calls[at].id
		h.calls = slices.Delete(h.calls, at, at+1)
	}
	end := toolEnd{id: of.id, text: resultText(content), failed: failed}
	p := h.part(KindToolResult)
	if i < h.after {
		p.Kind = KindToolResultEcho
	}
	end.fill(p)
	p.EventID = kernels.JoinStrings(p.Kind, p.WorkflowID, end.id, string(p.Status), digestOf(end.text))
}

// part is an event that says nothing of the request which brings it.
func (h *history) part(kind string) *Event {
	p := h.d.part(h.e)
	p.Kind, p.AgentID, p.Provider = kind, "", ""
	return p
}

// toolEnd is what a tool answered to a call.
type toolEnd struct {
	id, text string
	failed   bool
}

func (t *toolEnd) fill(p *Event) {
	p.IntentID, p.Role, p.Phase, p.Status, p.Text = t.id, RoleTool, PhaseEnd, StatusOK, t.text
	p.Payload = textAsJSON(t.text)
	if t.failed {
		p.Status, p.Error = StatusError, cmp.Or(t.text, "the tool failed")
	}
}

// callID names a tool call of a provider that gives it no id by what it asks for, however that is written.
func callID(name, arguments string) string {
	var parsed any
	if json.Unmarshal([]byte(arguments), &parsed) == nil {
		arguments = string(marshal(parsed))
	}
	return name + "/" + digestOf(arguments)[:16]
}

// argumentsOf returns the arguments of a tool call as JSON, those of a call without any as an empty object.
func argumentsOf(call *fastjson.Value) string {
	for _, key := range []string{"arguments", "args", "input", "parameters", "code", "action"} {
		member := call.Get(key)
		switch {
		case is(member, fastjson.TypeString):
			return cmp.Or(string(member.GetStringBytes()), "{}")
		case is(member, fastjson.TypeObject):
			return compact(member)
		}
	}
	return "{}"
}

// resultText is what a tool answered: a text, the texts of a list, or JSON.
func resultText(content *fastjson.Value) string {
	switch {
	case content == nil:
		return ""
	case is(content, fastjson.TypeString):
		return string(content.GetStringBytes())
	}
	for _, item := range content.GetArray() {
		if data := textAt(item, "document", "data"); data != "" { // Cohere
			return data
		}
	}
	if said := messageText(content); said != "" {
		return said
	}
	for _, item := range content.GetArray() {
		if member := item.Get("json"); member != nil { // Bedrock
			return compact(member)
		}
	}
	return compact(content)
}

func digestOf(s string) string {
	sum := sha1.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
