package formats

import "github.com/valyala/fastjson"

// What follows tells of the members of an object, as far as they are of the type in question. A nil value has none.

func str(v *fastjson.Value, key string) string { return string(v.GetStringBytes(key)) }

func present(v *fastjson.Value, key string) bool {
	member := v.Get(key)
	return member != nil && member.Type() != fastjson.TypeNull
}

func stringAt(v *fastjson.Value, key string) bool { return is(v.Get(key), fastjson.TypeString) }
func objectAt(v *fastjson.Value, key string) bool { return is(v.Get(key), fastjson.TypeObject) }
func arrayAt(v *fastjson.Value, key string) bool  { return is(v.Get(key), fastjson.TypeArray) }

func is(v *fastjson.Value, t fastjson.Type) bool { return v != nil && v.Type() == t }

func fields(v *fastjson.Value) int { return v.GetObject().Len() }

func set(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, name := range names {
		s[name] = true
	}
	return s
}
