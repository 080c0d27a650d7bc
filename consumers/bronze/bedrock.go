package bronze

import (
	"cmp"

	"github.com/valyala/fastjson"
)

// decodeBedrock decodes the events of Bedrock's Converse streams, and whole answers. Which model it is stands in the address
// alone. Usage may come before or after the end.
func decodeBedrock(e *Event, v *fastjson.Value, _ string) {
	e.Provider = ProviderBedrock
	part := decimal(int(max(count(v, "contentBlockStart", "contentBlockIndex"), count(v, "contentBlockDelta", "contentBlockIndex"), 0)))
	switch {
	case v.Exists("output"):
		for i, block := range v.GetArray("output", "message", "content") {
			bedrockBlock(e, block, decimal(i))
		}
		e.FinishReason = text(v, "stopReason")
		e.bedrockUsage(v.Get("usage"))
		e.wholeMessage()
	case v.Exists("messageStart"):
		e.start()
	case v.Exists("contentBlockStart"):
		bedrockBlock(e, v.Get("contentBlockStart", "start"), part)
		e.delta()
	case v.Exists("contentBlockDelta"):
		bedrockBlock(e, v.Get("contentBlockDelta", "delta"), part)
		e.delta()
	case v.Exists("messageStop"):
		e.FinishReason = textAt(v, "messageStop", "stopReason")
		e.end(StatusOK)
	case v.Exists("metadata"), v.Exists("contentBlockStop"):
		e.bedrockUsage(v.Get("metadata", "usage"))
		e.delta()
	default: // an exception, which is named after its kind
		v.GetObject().Visit(func(kind []byte, why *fastjson.Value) {
			if e.Error == "" {
				e.fail(cmp.Or(text(why, "message", "originalMessage"), string(kind)))
			}
		})
	}
}

// bedrockBlock takes a block of the answer's content, or a piece of one.
func bedrockBlock(e *Event, block *fastjson.Value, part string) {
	e.piece(Fragment{Part: part, Type: FragmentText, Text: text(block, "text")})
	e.piece(Fragment{Part: part, Type: FragmentReasoning, Text: textAt(block, "reasoningContent", "text")})
	e.piece(Fragment{Part: part, Type: FragmentReasoning, Text: textAt(block, "reasoningContent", "reasoningText", "text")})
	use := block.Get("toolUse")
	if use == nil {
		return
	}
	f := Fragment{Part: part, Type: FragmentToolCall, ID: text(use, "toolUseId"), Name: text(use, "name")}
	switch input := use.Get("input"); {
	case is(input, fastjson.TypeString):
		f.Text = string(input.GetStringBytes())
	case is(input, fastjson.TypeObject):
		f.Text = compact(input)
	}
	e.piece(f)
}

// bedrockUsage counts tokens read from and written to the cache as input, which they are.
func (e *Event) bedrockUsage(usage *fastjson.Value) {
	e.usage(usage, "inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
	e.details(usage, []string{"cacheReadInputTokens"}, nil)
	e.written(count(usage, "cacheWriteInputTokens"), -1)
}
