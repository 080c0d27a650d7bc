package bronze

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"strings"
)

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
