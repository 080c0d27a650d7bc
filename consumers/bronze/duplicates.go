package bronze

import (
	"bytes"
	"encoding/json"
)

// Of members of one name the last counts, as for nearly every reader of JSON; the parser would find the first.

// keysCompared bounds the members of one object that are compared with each other.
const keysCompared = 64

// repeatsKeys tells whether an object in raw, which is valid JSON, may have two members of one name.
func repeatsKeys(raw []byte) bool {
	var room [keysCompared][]byte
	keys := room[:0] // of the objects that are open
	var starts []int // of each of them, and of the arrays among them
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			starts = append(starts, len(keys))
		case '}', ']':
			last := len(starts) - 1
			keys, starts = keys[:starts[last]], starts[:last]
		case '"':
			end := stringEnd(raw, i+1)
			if key := raw[i+1 : end]; isKey(raw, end+1) {
				own := keys[starts[len(starts)-1]:]
				if len(own) == keysCompared || containsKey(own, key) {
					return true
				}
				keys = append(keys, key)
			}
			i = end
		}
	}
	return false
}

func containsKey(keys [][]byte, key []byte) bool {
	for _, k := range keys {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
}

// stringEnd returns the index of the quotation mark that ends a string.
func stringEnd(raw []byte, i int) int {
	for ; raw[i] != '"'; i++ {
		if raw[i] == '\\' {
			i++
		}
	}
	return i
}

func isKey(raw []byte, i int) bool {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r') {
		i++
	}
	return i < len(raw) && raw[i] == ':'
}

// keepLast writes valid JSON anew, each object with the last of its members of one name.
func keepLast(raw []byte) []byte {
	in := json.NewDecoder(bytes.NewReader(raw))
	in.UseNumber()
	var v any
	if in.Decode(&v) != nil {
		return raw // it is nested too deeply for that
	}
	return marshal(v)
}
