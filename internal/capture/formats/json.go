package formats

import "github.com/valyala/fastjson"

// ValidJSON tells whether text is a JSON value as the standard has it, which encoding/json agrees with. It is for what is handed
// on to other readers. It does not bound the depth.
func ValidJSON(text []byte) bool {
	return fastjson.ValidateBytes(text) == nil && !hasRawControl(text)
}

// hasRawControl tells whether a string of valid JSON has a control character that is not escaped, which fastjson overlooks in
// keys and before an escape. Few texts have any control character at all.
func hasRawControl(text []byte) bool {
	first := 0
	for first < len(text) && text[first] >= ' ' {
		first++
	}
	if first == len(text) {
		return false
	}
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted && c < ' ':
			return true
		}
	}
	return false
}
