package bronze

import (
	"strings"

	"github.com/valyala/fastjson"
)

// decodeAnthropic decodes the events of Anthropic's Messages streams, and whole messages. A part of the message is a
// content block, named by its index.
func decodeAnthropic(e *Event, v *fastjson.Value, _ string) {
	e.Provider = ProviderAnthropic
	switch text(v, "type") {
	case "message_start":
		e.Capability = textAt(v, "message", "model")
		e.anthropicUsage(v.Get("message", "usage"))
		e.start()
	case "content_block_start":
		anthropicBlock(e, v.Get("content_block"), index(v, "index"))
		e.delta()
	case "content_block_delta":
		anthropicPiece(e, v.Get("delta"), index(v, "index"))
		e.delta()
	case "message_delta":
		e.FinishReason = textAt(v, "delta", "stop_reason")
		e.anthropicUsage(v.Get("usage"))
		e.delta()
	case "message_stop":
		e.end(StatusOK)
	case "message":
		anthropicMessage(e, v)
	case "ping":
		e.Kind = KindHeartbeat
	case "error":
		e.fail(errorText(v.Get("error")))
	default:
		e.delta()
	}
}

// anthropicUsage counts tokens written to and read from the prompt cache as input, which they are.
func (e *Event) anthropicUsage(usage *fastjson.Value) {
	e.usage(usage, "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
	e.details(usage, []string{"cache_read_input_tokens"}, nil)
	e.anthropicWritten(usage)
}

func (e *Event) anthropicWritten(usage *fastjson.Value) {
	e.written(count(usage, "cache_creation_input_tokens"), count(usage, "cache_creation", "ephemeral_1h_input_tokens"))
}

// anthropicBlock takes what the start of a content block brings: a tool call's id and name, seldom text. The input of a
// call that is streamed is an empty object here.
func anthropicBlock(e *Event, block *fastjson.Value, part string) {
	switch typ := text(block, "type"); typ {
	case "text":
		e.piece(Fragment{Part: part, Type: FragmentText, Text: text(block, "text")})
	case "thinking":
		e.piece(Fragment{Part: part, Type: FragmentReasoning, Text: text(block, "thinking")})
	case "tool_use", "server_tool_use", "mcp_tool_use":
		f := Fragment{Part: part, Type: FragmentToolCall, ID: text(block, "id"), Name: text(block, "name")}
		if input := block.Get("input"); is(input, fastjson.TypeObject) && input.GetObject().Len() > 0 {
			f.Text = compact(input)
		}
		e.piece(f)
	default:
		if strings.HasSuffix(typ, "tool_result") && isString(block, "tool_use_id") {
			e.results = append(e.results, toolEnd{
				id: text(block, "tool_use_id"), text: resultText(block.Get("content")),
				failed: isTrue(block, "is_error") || strings.HasSuffix(textAt(block, "content", "type"), "_error"),
			})
		}
	}
}

// anthropicPiece takes one delta of a content block.
func anthropicPiece(e *Event, delta *fastjson.Value, part string) {
	switch text(delta, "type") {
	case "text_delta":
		e.piece(Fragment{Part: part, Type: FragmentText, Text: text(delta, "text")})
	case "thinking_delta":
		e.piece(Fragment{Part: part, Type: FragmentReasoning, Text: text(delta, "thinking")})
	case "input_json_delta":
		e.piece(Fragment{Part: part, Type: FragmentToolCall, Text: text(delta, "partial_json")})
	}
}

// anthropicMessage decodes a message that was not streamed.
func anthropicMessage(e *Event, v *fastjson.Value) {
	e.Capability = text(v, "model")
	e.FinishReason = text(v, "stop_reason")
	e.anthropicUsage(v.Get("usage"))
	for i, block := range v.GetArray("content") {
		anthropicBlock(e, block, decimal(i))
	}
	e.wholeMessage()
}
