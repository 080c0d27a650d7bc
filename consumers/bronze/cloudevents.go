package bronze

import (
	"github.com/valyala/fastjson"

	"assay/kernels"
)

// isCloudEvent tells whether v has the four attributes that every version requires, none of them empty.
func isCloudEvent(v *fastjson.Value) bool {
	for _, attribute := range []string{"specversion", "type", "source", "id"} {
		if len(v.GetStringBytes(attribute)) == 0 {
			return false
		}
	}
	return true
}

// decodeCloudEvent decodes a CloudEvent in JSON format, all versions. Its source and id together identify it. Where it
// belongs stands in its data or, as names of extension attributes have no underscores, in workflowid, intentid and
// agentid.
func decodeCloudEvent(e *Event, v *fastjson.Value) {
	if data := v.Get("data"); is(data, fastjson.TypeObject) {
		e.context(data)
		e.outcome(data)
		e.Text = memberText(data)
	} else {
		e.Text = string(data.GetStringBytes())
	}
	e.Kind = text(v, "type")
	e.EventID = kernels.JoinStrings(text(v, "source"), text(v, "id"))
	if t := eventTime(v.Get("time")); !t.IsZero() {
		e.Time = t
	}
	for _, attribute := range []struct {
		key  string
		into *string
	}{{"workflowid", &e.WorkflowID}, {"intentid", &e.IntentID}, {"agentid", &e.AgentID}} {
		if s := text(v, attribute.key); s != "" {
			*attribute.into = s
		}
	}
	if e.AgentID == "" {
		e.AgentID = text(v, "source")
	}
}
