package bronze

import (
	"math"
	"strconv"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
)

// attributes are those of a span, an event, a log record or a resource, by key.
type attributes map[string]*fastjson.Value

func attributesOf(list *fastjson.Value) attributes {
	if is(list, fastjson.TypeObject) {
		return plainAttributes(list)
	}
	elements := list.GetArray()
	all := make(attributes, len(elements))
	for _, a := range elements {
		all[string(a.GetStringBytes("key"))] = a.Get("value")
	}
	return all
}

// text returns the first of the attributes that is a text and not empty.
func (a attributes) text(keys ...string) string {
	for _, key := range keys {
		if v := a[key]; v != nil {
			if s := anyValueText(v); !withheld(s) {
				return s
			}
		}
	}
	return ""
}

// withheld knows what instrumentations write where they have nothing to say or were told to leave it out.
func withheld(s string) bool {
	return s == "" || s == "<elided>" || s == "<not specified>" || s == "N/A"
}

// has reports whether there is an attribute.
func (a attributes) has(keys ...string) bool {
	for _, key := range keys {
		if a[key] != nil {
			return true
		}
	}
	return false
}

// count returns the first of the attributes that is a whole number, written in any way, -1 if there is none.
func (a attributes) count(keys ...string) int64 {
	for _, key := range keys {
		v := a[key]
		if v == nil {
			continue
		}
		for _, typ := range []string{"intValue", "doubleValue", "stringValue"} {
			if n := wholeOf(v.Get(typ)); n >= 0 && n <= math.MaxInt32 {
				return n
			}
		}
	}
	return -1
}

// number returns an attribute as a number, -1 if it is none.
func (a attributes) number(key string) float64 {
	v := a[key]
	if v == nil {
		return -1
	}
	for _, typ := range []string{"doubleValue", "intValue", "stringValue"} {
		if n, err := strconv.ParseFloat(scalarText(v.Get(typ)), 64); err == nil {
			return n
		}
	}
	return -1
}

// json returns what an attribute holds: the JSON that a text is, or the value itself. It is nil where there is neither.
func (a attributes) json(keys ...string) *fastjson.Value {
	for _, key := range keys {
		if v := a[key]; v != nil {
			if parsed := anyValueJSON(v); parsed != nil {
				return parsed
			}
		}
	}
	return nil
}

// wholeOf returns a whole number that is written as a number or as a text, -1 if it is none.
func wholeOf(v *fastjson.Value) int64 {
	s := scalarText(v)
	if s == "" {
		return -1
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<62 {
		return int64(f)
	}
	return -1
}

// scalarText is a text or a number as it is written.
func scalarText(v *fastjson.Value) string {
	switch {
	case is(v, fastjson.TypeString):
		return string(v.GetStringBytes())
	case is(v, fastjson.TypeNumber):
		return compact(v)
	}
	return ""
}

// anyValueText returns an AnyValue as text: a string as it is, another value as JSON.
func anyValueText(v *fastjson.Value) string {
	if s := v.Get("stringValue"); s != nil {
		return string(s.GetStringBytes())
	}
	for _, typ := range []string{"intValue", "doubleValue"} {
		if s := scalarText(v.Get(typ)); s != "" {
			return s
		}
	}
	if v.Exists("arrayValue") || v.Exists("kvlistValue") {
		return string(appendAnyValue(nil, v))
	}
	return ""
}

// anyValueJSON returns an AnyValue as the JSON value that it stands for, or that its text is.
func anyValueJSON(v *fastjson.Value) *fastjson.Value {
	var raw []byte
	switch {
	case v.Exists("stringValue"):
		raw = v.GetStringBytes("stringValue")
		if len(raw) == 0 || raw[0] != '{' && raw[0] != '[' && raw[0] != '"' {
			return nil
		}
	case v.Exists("arrayValue"), v.Exists("kvlistValue"):
		raw = appendAnyValue(nil, v)
	default:
		return nil
	}
	parsed, err := formats.Parse(raw)
	if err != nil {
		return nil
	}
	return parsed
}

// appendAnyValue appends the JSON that an AnyValue stands for.
func appendAnyValue(dst []byte, v *fastjson.Value) []byte {
	switch {
	case v == nil:
		return append(dst, "null"...)
	case v.Exists("stringValue"):
		return appendQuoted(dst, v.GetStringBytes("stringValue"))
	case v.Exists("arrayValue"):
		dst = append(dst, '[')
		for i, element := range v.GetArray("arrayValue", "values") {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendAnyValue(dst, element)
		}
		return append(dst, ']')
	case v.Exists("kvlistValue"):
		dst = append(dst, '{')
		for i, member := range v.GetArray("kvlistValue", "values") {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendQuoted(dst, member.GetStringBytes("key")), ':')
			dst = appendAnyValue(dst, member.Get("value"))
		}
		return append(dst, '}')
	}
	for _, typ := range []string{"intValue", "doubleValue"} {
		if s := scalarText(v.Get(typ)); s != "" && formats.ValidJSON([]byte(s)) {
			return append(dst, s...)
		}
	}
	if b := v.Get("boolValue"); is(b, fastjson.TypeTrue) || is(b, fastjson.TypeFalse) {
		return b.MarshalTo(dst)
	}
	return append(dst, "null"...)
}
