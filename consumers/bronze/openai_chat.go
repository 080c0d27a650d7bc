package bronze

import (
	"slices"
	"strings"

	"github.com/valyala/fastjson"
)

// decodeOpenAIChat decodes chat.completion.chunk, text_completion and chat.completion objects, which many services
// besides OpenAI send. Azure sends results of its prompt filter in the same shape with an empty object.
//
// Such a stream has no event of its own for the message's end: the chunk with the finish reason is it. Chunks with usage
// and [DONE] may follow.
func decodeOpenAIChat(e *Event, v *fastjson.Value, _ string) {
	e.Provider = openAIProvider(v)
	e.Capability = text(v, "model", "model_id")
	openAIUsage(e, v.Get("usage"))
	e.usage(v.Get("x_groq", "usage"), "prompt_tokens", "completion_tokens")
	roleOnly, whole := false, false
	for _, choice := range v.GetArray("choices") {
		message := choice.Get("delta")
		if message == nil && present(choice, "message") {
			message, whole = choice.Get("message"), true
		}
		part := index(choice, "index")
		openAIFinish(e, text(choice, "finish_reason"), part)
		openAIMessage(e, message, part)
		e.piece(Fragment{Part: part + "/text", Type: FragmentText, Text: text(choice, "text")})
		roleOnly = roleOnly || present(message, "role")
	}
	finished := slices.ContainsFunc(e.Fragments, func(f Fragment) bool { return f.Type == FragmentFinish })
	switch {
	case present(v, "error"):
		e.fail(errorText(v.Get("error")))
	case whole:
		e.wholeMessage()
	case e.FinishReason != "" || finished:
		e.end(StatusOK)
	case len(e.Fragments) > 0 || !roleOnly:
		e.delta()
	default:
		e.start()
	}
}

// openAIFinish takes why a choice has ended. The answer's reason is that of its first choice; others are told as fragments.
func openAIFinish(e *Event, reason, choice string) {
	if choice == "0" {
		e.FinishReason = reason
		return
	}
	e.piece(Fragment{Part: choice + "/finish", Type: FragmentFinish, Text: reason})
}

func openAIUsage(e *Event, usage *fastjson.Value) {
	e.usage(usage, "prompt_tokens", "completion_tokens")
	e.details(usage, []string{"prompt_tokens_details", "cached_tokens"}, []string{"completion_tokens_details", "reasoning_tokens"})
	e.details(usage, []string{"prompt_cache_hit_tokens"}, nil) // DeepSeek
	e.written(count(usage, "prompt_tokens_details", "cache_write_tokens"), -1)
	if cost := usage.Get("cost"); is(cost, fastjson.TypeNumber) && cost.GetFloat64() >= 0 {
		e.CostUSD = max(e.CostUSD, cost.GetFloat64()) // OpenRouter
	}
}

// openAIMessage takes the pieces of a delta or message, which may be absent.
func openAIMessage(e *Event, m *fastjson.Value, part string) {
	if m == nil {
		return
	}
	openAIContent(e, m.Get("content"), part)
	e.piece(Fragment{Part: part + "/reasoning", Type: FragmentReasoning, Text: text(m, "reasoning_content", "reasoning")})
	e.piece(Fragment{Part: part + "/refusal", Type: FragmentRefusal, Text: text(m, "refusal")})
	for _, call := range m.GetArray("tool_calls") {
		openAIToolCall(e, call, part+"/tool_call/"+index(call, "index"))
	}
	if call := m.Get("function_call"); is(call, fastjson.TypeObject) {
		e.piece(Fragment{
			Part: part + "/function_call", Type: FragmentToolCall, Name: text(call, "name"), Text: text(call, "arguments"),
		})
	}
}

// openAIContent takes the content of a message: a string or, as Mistral's reasoning models send it, a list.
func openAIContent(e *Event, content *fastjson.Value, part string) {
	if content == nil {
		return
	}
	e.piece(Fragment{Part: part + "/text", Type: FragmentText, Text: string(content.GetStringBytes())})
	for _, item := range content.GetArray() {
		e.piece(Fragment{Part: part + "/text", Type: FragmentText, Text: text(item, "text")})
		for _, thought := range item.GetArray("thinking") {
			e.piece(Fragment{Part: part + "/reasoning", Type: FragmentReasoning, Text: text(thought, "text")})
		}
	}
}

// openAIToolCall takes a piece of a tool call. Some servers send the arguments as an object, not as pieces of its JSON.
func openAIToolCall(e *Event, call *fastjson.Value, part string) {
	f := Fragment{
		Part: part, Type: FragmentToolCall,
		ID: text(call, "id"), Name: textAt(call, "function", "name"), Text: textAt(call, "function", "arguments"),
	}
	if arguments := call.Get("function", "arguments"); is(arguments, fastjson.TypeObject) {
		f.Text = compact(arguments)
		if f.ID == "" && f.Name != "" {
			f.ID = callID(f.Name, f.Text)
		}
	}
	e.piece(f)
}

// openAIProvider tells the services that speak OpenAI's format apart, where a chunk gives them away.
func openAIProvider(v *fastjson.Value) string {
	switch {
	case v.Exists("prompt_filter_results"), v.Exists("choices", "0", "content_filter_results"):
		return ProviderAzure
	case v.Exists("x_groq"):
		return ProviderGroq
	}
	model := string(v.GetStringBytes("model"))
	for _, family := range modelFamilies {
		if strings.HasPrefix(model, family.prefix) {
			return family.provider
		}
	}
	return ProviderOpenAI
}

// modelFamilies are the models that only one provider serves under these names.
var modelFamilies = []struct{ prefix, provider string }{
	{"mistral-", ProviderMistral}, {"open-mistral-", ProviderMistral}, {"open-mixtral-", ProviderMistral},
	{"ministral-", ProviderMistral}, {"magistral-", ProviderMistral}, {"codestral-", ProviderMistral},
	{"devstral-", ProviderMistral}, {"pixtral-", ProviderMistral},
	{"deepseek-chat", ProviderDeepSeek}, {"deepseek-reasoner", ProviderDeepSeek},
	{"palmyra-", ProviderWriter},
}
