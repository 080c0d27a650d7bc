package bronze

import (
	"cmp"
	"strconv"

	"github.com/valyala/fastjson"
)

// decodeOllama decodes the lines of Ollama's chat and generate, each of which is a chunk of a stream or a whole answer. The last
// one says done. A model that has no id for a tool call gets one made of what it asks for.
func decodeOllama(e *Event, v *fastjson.Value, _ string) {
	e.Provider, e.Capability, e.Time = ProviderOllama, text(v, "model"), eventTime(v.Get("created_at"))
	message := v.Get("message")
	if message == nil {
		message = v
	}
	e.piece(Fragment{Part: "0/text", Type: FragmentText, Text: text(message, "content", "response")})
	e.piece(Fragment{Part: "0/reasoning", Type: FragmentReasoning, Text: text(message, "thinking")})
	for i, call := range message.GetArray("tool_calls") {
		f := Fragment{
			Part: "0/tool_call/" + strconv.FormatUint(e.Position, 10) + "." + decimal(i), Type: FragmentToolCall,
			Name: textAt(call, "function", "name"), Text: argumentsOf(call.Get("function")),
		}
		f.ID = cmp.Or(text(call, "id"), callID(f.Name, f.Text))
		e.piece(f)
	}
	if !v.GetBool("done") {
		e.delta()
		return
	}
	e.usage(v, "prompt_eval_count", "eval_count")
	e.FinishReason = text(v, "done_reason")
	e.end(StatusOK)
}
