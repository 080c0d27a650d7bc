package bronze

import (
	"math"
	"strconv"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
)

// text returns a copy of the first of v's members that is a string and not empty, "" if there is none.
func text(v *fastjson.Value, keys ...string) string {
	for _, key := range keys {
		if b := v.GetStringBytes(key); len(b) > 0 {
			return string(b)
		}
	}
	return ""
}

// textAt returns a copy of the string at the end of a path, "" if there is none.
func textAt(v *fastjson.Value, path ...string) string { return string(v.GetStringBytes(path...)) }

// count returns the whole number at the end of a path, -1 if there is none or it is negative.
func count(v *fastjson.Value, path ...string) int64 {
	if v == nil {
		return -1
	}
	member := v.Get(path...)
	if member == nil || member.Type() != fastjson.TypeNumber {
		return -1
	}
	n := member.GetFloat64()
	if n < 0 || n > math.MaxInt32 || n != math.Trunc(n) {
		return -1
	}
	return int64(n)
}

// index returns the number that says which part of a message a piece belongs to, as text, "0" if there is none.
func index(v *fastjson.Value, key string) string { return strconv.FormatInt(max(count(v, key), 0), 10) }

func decimal(n int) string { return strconv.Itoa(n) }

// compact returns v as JSON without white space. Strings are copied as they were written, because none of them has been
// asked for: the parser cannot write a string that it has unescaped.
func compact(v *fastjson.Value) string { return string(v.MarshalTo(nil)) }

// scalar returns a string as it is and a number as it is written, except that a whole one has no fraction.
func scalar(v *fastjson.Value) string {
	if v == nil {
		return ""
	}
	switch v.Type() {
	case fastjson.TypeString:
		return string(v.GetStringBytes())
	case fastjson.TypeNumber:
		if n := v.GetFloat64(); n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return strconv.FormatInt(int64(n), 10)
		}
		return compact(v)
	}
	return ""
}

// isTrue reports whether one of v's members is true.
func isTrue(v *fastjson.Value, keys ...string) bool {
	for _, key := range keys {
		if v.GetBool(key) {
			return true
		}
	}
	return false
}

func isBool(v *fastjson.Value, key string) bool {
	return is(v.Get(key), fastjson.TypeTrue) || is(v.Get(key), fastjson.TypeFalse)
}

// textAsJSON is a text that is JSON as it is, and any other as a JSON string.
func textAsJSON(s string) string {
	if formats.ValidJSON([]byte(s)) {
		return s
	}
	return quote([]byte(s))
}

// isJSONObject tells whether a text is a whole JSON object.
func isJSONObject(s string) bool {
	return len(s) > 1 && s[0] == '{' && s[len(s)-1] == '}' && formats.ValidJSON([]byte(s))
}

func isString(v *fastjson.Value, key string) bool { return is(v.Get(key), fastjson.TypeString) }
func isArray(v *fastjson.Value, key string) bool  { return is(v.Get(key), fastjson.TypeArray) }
func isObject(v *fastjson.Value, key string) bool { return is(v.Get(key), fastjson.TypeObject) }

func is(v *fastjson.Value, t fastjson.Type) bool { return v != nil && v.Type() == t }

// present reports whether a member is there and not null.
func present(v *fastjson.Value, key string) bool {
	member := v.Get(key)
	return member != nil && member.Type() != fastjson.TypeNull
}
