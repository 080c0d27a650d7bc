package bronze

import (
	"bytes"
	"encoding/json"

	"github.com/valyala/fastjson"
)

// Of members of one name the last counts, as for nearly every reader of JSON; the parser would find the first.

// keysCompared bounds the members of one object that are compared with each other.
const keysCompared = 64

// repeatsKeys tells whether an object in v may have two members of one name.
func repeatsKeys(v *fastjson.Value) (again bool) {
	o := v.GetObject()
	if o == nil {
		for _, element := range v.GetArray() {
			if repeatsKeys(element) {
				return true
			}
		}
		return false
	}
	var room [16][]byte // as many as nearly all have
	keys := room[:0]
	o.Visit(func(key []byte, member *fastjson.Value) {
		again = again || len(keys) == keysCompared || containsKey(keys, key) || repeatsKeys(member)
		keys = append(keys, key)
	})
	return again
}

func containsKey(keys [][]byte, key []byte) bool {
	for _, k := range keys {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
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
