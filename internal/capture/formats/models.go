package formats

import (
	"slices"
	"strings"

	"github.com/valyala/fastjson"
)

func isOllama(v *fastjson.Value, _ string) bool {
	done := v.Get("done")
	return done != nil && (done.Type() == fastjson.TypeTrue || done.Type() == fastjson.TypeFalse) && stringAt(v, "model") &&
		stringAt(v, "created_at")
}

func isBedrock(v *fastjson.Value, _ string) bool {
	if objectAt(v, "output") && objectAt(v.Get("output"), "message") && stringAt(v, "stopReason") {
		return true
	}
	if fields(v) > 2 {
		return false
	}
	for _, key := range bedrockEvents {
		if objectAt(v, key) {
			return true
		}
	}
	return objectAt(v.Get("metadata"), "usage")
}

var (
	bedrockEvents = []string{
		"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "throttlingException",
		"modelStreamErrorException", "modelTimeoutException", "internalServerException", "validationException", "serviceUnavailableException",
	}
	bedrockMarks = slices.Concat(bedrockEvents, []string{"output", "metadata"})
)

func isOpenAI(v *fastjson.Value, typ string) bool {
	object := str(v, "object")
	return arrayAt(v, "choices") || strings.HasPrefix(object, "chat.completion") || object == "text_completion" ||
		object == "response" || strings.HasPrefix(typ, "response.")
}

// isRealtime knows the events by type. Those of answers, but for their beginning, are those of the Responses API.
func isRealtime(v *fastjson.Value, typ string) bool {
	switch typ {
	case "response.create", "session.update", "session.created", "session.updated", "conversation.created", "rate_limits.updated":
		return true
	}
	return strings.HasPrefix(typ, "conversation.item.") || strings.HasPrefix(typ, "input_audio_buffer.") || strings.HasPrefix(typ, "output_audio_buffer.")
}

func isInteraction(v *fastjson.Value, _ string) bool {
	family, _, _ := strings.Cut(str(v, "event_type"), ".")
	switch family {
	case "interaction":
		return objectAt(v, "interaction") || stringAt(v, "interaction_id")
	case "step", "content":
		return v.Exists("index") || objectAt(v, "delta") || objectAt(v, "step") || objectAt(v, "content")
	}
	return str(v, "object") == "interaction" || stringAt(v, "status") && stringAt(v, "model") && (arrayAt(v, "steps") || arrayAt(v, "outputs"))
}

func isAnthropic(v *fastjson.Value, typ string) bool {
	switch typ {
	case "message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta", "content_block_stop":
		return true
	case "message":
		return arrayAt(v, "content") && v.Exists("role") && v.Exists("stop_reason")
	}
	return false
}
