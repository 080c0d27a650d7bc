package formats

import (
	"strings"

	"github.com/valyala/fastjson"
)

// IsLangGraph knows the events of a LangGraph server's run by the SSE event's name and by shape: the names alone are common words.
func IsLangGraph(name string, v *fastjson.Value) bool {
	mode, _, _ := strings.Cut(name, "|") // what follows names the subgraph
	switch mode {
	case "metadata":
		return stringAt(v, "run_id")
	case "messages/partial", "messages/complete":
		return is(v, fastjson.TypeArray) && stringAt(v.Get("0"), "type")
	case "messages/metadata":
		return is(v, fastjson.TypeObject)
	case "messages":
		return objectAt(v, "0") && (v.Get("1").Exists("langgraph_node") || v.Get("1").Exists("ls_model_type"))
	case "values":
		message := v.Get("messages", "0")
		return stringAt(message, "type") && message.Exists("content") || stringAt(message, "role") && fields(v) == 1 || str(message, "type") == "constructor" || v.Exists("__interrupt__")
	case "updates":
		known := v.Exists("__interrupt__")
		v.GetObject().Visit(func(_ []byte, update *fastjson.Value) {
			known = known || stringAt(update.Get("messages", "0"), "type") || stringAt(update.Get("messages"), "type")
		})
		return known
	case "debug", "tasks", "checkpoints":
		return objectAt(v, "payload") && v.Exists("step")
	case "events":
		return strings.HasPrefix(str(v, "event"), "on_") && stringAt(v, "run_id")
	case "end":
		return is(v, fastjson.TypeNull)
	case "error":
		return stringAt(v, "error") && stringAt(v, "message") && fields(v) == 2
	}
	return false
}

// LangGraphTuple takes an event of a LangGraph run apart that is written as a tuple: mode and payload, with the path of the subgraph before
// them where there are any. It is not ok for other values.
func LangGraphTuple(v *fastjson.Value) (mode string, payload *fastjson.Value, ok bool) {
	tuple := v.GetArray()
	if len(tuple) == 3 && is(tuple[0], fastjson.TypeArray) {
		tuple = tuple[1:]
	}
	if len(tuple) != 2 {
		return "", nil, false
	}
	mode, payload = string(tuple[0].GetStringBytes()), tuple[1]
	return mode, payload, IsLangGraph(mode, payload)
}
