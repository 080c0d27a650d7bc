package bronze

import (
	"cmp"
	"strings"

	"github.com/valyala/fastjson"
)

// decodeInteraction decodes the events and the answers of Gemini's Interactions API, whose streams have had two generations of names. A part of the message is a step, or a piece of content, named by its index.
func decodeInteraction(e *Event, v *fastjson.Value, _ string) {
	e.Provider = ProviderGemini
	whole := v
	if inner := v.Get("interaction"); inner != nil {
		whole = inner
	}
	e.Capability = text(whole, "model", "agent")
	e.interactionUsage(whole.Get("usage"))
	part := index(v, "index")
	switch typ := text(v, "event_type"); typ {
	case "interaction.created", "interaction.start":
		e.start()
	case "step.start", "content.start":
		e.interactionBlock(cmp.Or(v.Get("step"), v.Get("content")), part)
		e.delta()
	case "step.delta", "content.delta":
		e.interactionBlock(v.Get("delta"), part)
		e.delta()
	case "interaction.completed", "interaction.complete", "":
		for i, step := range append(whole.GetArray("steps"), whole.GetArray("outputs")...) {
			if typ == "" { // else its pieces have come
				e.interactionBlock(step, decimal(i))
			}
		}
		e.interactionEnd(text(whole, "status"), whole.Get("error"), typ == "")
	default:
		e.delta()
	}
}

// interactionBlock takes a step, or a piece of one.
func (e *Event) interactionBlock(block *fastjson.Value, part string) {
	typ := text(block, "type")
	switch typ {
	case "text", "model_output":
		e.piece(Fragment{Part: part, Type: FragmentText, Text: cmp.Or(text(block, "text"), blocksText(block.Get("content")))})
	case "thought", "thought_summary":
		e.piece(Fragment{
			Part: part, Type: FragmentReasoning, Text: cmp.Or(text(block, "text"), blocksText(block.Get("summary")), blocksText(block.Get("content"))),
		})
	case "function_call":
		f := Fragment{Part: part, Type: FragmentToolCall, ID: text(block, "id", "call_id"), Name: text(block, "name")}
		if arguments := argumentsOf(block); arguments != "{}" {
			f.Text = arguments
		}
		e.piece(f)
	case "arguments_delta":
		e.piece(Fragment{Part: part, Type: FragmentToolCall, Text: text(block, "arguments", "partial_arguments")})
	}
	if strings.HasSuffix(typ, "_result") && isString(block, "call_id") {
		e.results = append(e.results, toolEnd{
			id: text(block, "call_id"), text: cmp.Or(blocksText(block.Get("result")), render(block.Get("result"))), failed: isTrue(block, "is_error"),
		})
	}
}

// interactionEnd takes how an interaction stands. One that asks for a tool is as complete as an answer can be.
func (e *Event) interactionEnd(status string, failure *fastjson.Value, whole bool) {
	e.FinishReason = status
	if whole {
		for i := range e.Fragments {
			e.Fragments[i].Whole = true
		}
	}
	switch status {
	case "failed", "incomplete":
		e.fail(cmp.Or(errorText(failure), "the interaction was "+status))
	case "cancelled":
		e.end(StatusCancelled)
	case "in_progress", "queued":
		e.start()
	default:
		e.end(StatusOK)
	}
}

// interactionUsage counts what tools brought as input, and thoughts as output, which they are.
func (e *Event) interactionUsage(usage *fastjson.Value) {
	e.usage(usage, "total_input_tokens", "total_output_tokens", "total_tool_use_tokens")
	if thoughts := count(usage, "total_thought_tokens"); thoughts > 0 {
		e.OutputTokens = max(e.OutputTokens, 0) + thoughts
	}
	e.details(usage, []string{"total_cached_tokens"}, []string{"total_thought_tokens"})
}
