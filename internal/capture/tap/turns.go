package tap

import (
	"bytes"

	"assay/internal/capture/formats"
	"assay/streams"
)

// turnsMax bounds the prompts that wait for their answers at a time.
const turnsMax = 64

// turns tells which turn of an ACP session a message belongs to: what stands between a prompt and its answer. Agents need not say
// to which message a piece of text belongs; that it is of this turn is known here alone. In other protocols there are none.
type turns struct {
	bySession map[string]string
	byID      map[string]string // sessions, by the JSON of a prompt's id
}

// of returns the turn of a line, SESSION/turn/ID; "" if it is of none.
func (t *turns) of(side streams.Side, line []byte) string {
	asks := side == streams.SideClient && bytes.Contains(line, []byte(`"session/prompt"`))
	if !asks && (side == streams.SideClient || len(t.byID) == 0) {
		return ""
	}
	v, err := formats.Parse(line)
	if err != nil {
		return ""
	}
	session, method, id := string(v.GetStringBytes("params", "sessionId")), string(v.GetStringBytes("method")), v.Get("id")
	switch {
	case asks && method == "session/prompt" && id != nil && session != "" && len(t.byID) < turnsMax:
		if t.byID == nil {
			t.byID, t.bySession = map[string]string{}, map[string]string{}
		}
		key := string(id.MarshalTo(nil))
		turn := session + "/turn/" + key
		if len(turn) > streams.ExchangeBytesMax {
			return ""
		}
		t.byID[key], t.bySession[session] = session, turn
		return turn
	case side == streams.SideServer && method == "session/update":
		return t.bySession[session]
	case side == streams.SideServer && method == "" && id != nil:
		key := string(id.MarshalTo(nil))
		session, ok := t.byID[key]
		if !ok {
			return ""
		}
		turn := t.bySession[session]
		delete(t.byID, key)
		delete(t.bySession, session)
		return turn
	}
	return ""
}
