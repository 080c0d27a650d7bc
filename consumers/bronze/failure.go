package bronze

import "github.com/valyala/fastjson"

// decodeFailure decodes an error that comes instead of an answer, or in the middle of one, as Ollama and OpenAI's imitators send it.
func decodeFailure(e *Event, v *fastjson.Value, _ string) { e.fail(errorText(v.Get("error"))) }
