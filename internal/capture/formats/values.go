package formats

import (
	"bytes"
	"fmt"

	"github.com/valyala/fastjson"
)

// ValuesMax bounds the JSON values of one text that is parsed: each takes a hundred bytes and more, however short it is. What is written
// for its meaning has far fewer.
const ValuesMax = 1 << 21

// TooManyValues tells whether a text may have more than ValuesMax JSON values: each but the first follows a comma, or what begins a list or
// object.
func TooManyValues(raw []byte) bool {
	if len(raw) < ValuesMax || bytes.Count(raw, []byte{','})+bytes.Count(raw, []byte{'['})+bytes.Count(raw, []byte{'{'}) < ValuesMax {
		return false
	}
	n, text := 1, false // now without those that texts hold
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case !text && (c == ',' || c == '[' || c == '{'):
			n++
		}
	}
	return n > ValuesMax
}

// ErrTooManyValues means that a text is not parsed.
var ErrTooManyValues = fmt.Errorf("formats: more than %d JSON values", ValuesMax)

// Parse parses a text as fastjson does, unless it has too many values. What it returns is valid for good.
func Parse(text []byte) (*fastjson.Value, error) {
	if TooManyValues(text) {
		return nil, ErrTooManyValues
	}
	return fastjson.ParseBytes(text)
}
