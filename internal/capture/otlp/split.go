package otlp

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/valyala/fastjson"
)

// itemsMax bounds the spans or log records of one frame, each of which may become several events.
const itemsMax = 2048

// members are the names of the parts of a signal's exports.
type members struct{ resources, scopes, items string }

var membersOf = map[Signal]members{
	Traces: {"resourceSpans", "scopeSpans", "spans"},
	Logs:   {"resourceLogs", "scopeLogs", "logRecords"},
}

// survey counts the spans or log records of an export, and tells whether some of them cannot be kept.
func survey(signal Signal, v *fastjson.Value) (items int, faulty bool) {
	m := membersOf[signal]
	for _, resource := range v.GetArray(m.resources) {
		for _, scope := range resource.GetArray(m.scopes) {
			for _, item := range scope.GetArray(m.items) {
				items++
				faulty = faulty || faultOf(signal, item) != ""
			}
		}
	}
	return items, faulty
}

// faultOf is why an item cannot be kept, "" if it can: a span without ids could not be known again.
func faultOf(signal Signal, item *fastjson.Value) string {
	switch {
	case item.Type() != fastjson.TypeObject:
		return "what is no object is left out"
	case signal == Traces && (blank(item.GetStringBytes("traceId")) || blank(item.GetStringBytes("spanId"))):
		return "spans without trace id or span id are left out"
	}
	return ""
}

// blank tells whether an id is none: absent, or all zeros.
func blank(id []byte) bool { return strings.Trim(string(id), "0") == "" }

// rejected tells how many items of an export were not kept, and why.
type rejected struct {
	items   int64
	reasons []string
}

func (r *rejected) add(reason string) {
	r.items++
	if !slices.Contains(r.reasons, reason) {
		r.reasons = append(r.reasons, reason)
	}
}

func (r *rejected) message() string { return strings.Join(r.reasons, "; ") }

// object is a JSON object whose members are as they came.
type object map[string]json.RawMessage

func (o object) array(name string) (elements []json.RawMessage) {
	_ = json.Unmarshal(o[name], &elements) // what is no array has no elements
	return elements
}

// with renders o up to the elements of an array that takes the place of a member. What was rendered so is closed by closed.
func (o object) with(name string) string {
	var b strings.Builder
	b.WriteByte('{')
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if key != name {
			quoted, _ := json.Marshal(key) // a text has a JSON form
			fmt.Fprintf(&b, "%s:%s,", quoted, o[key])
		}
	}
	return b.String() + `"` + name + `":[`
}

const closed = "]}"

// split cuts an export, which is valid JSON, into ones of at most limit bytes and itemsMax items each, without what cannot be kept.
// Each says again what was said of its resource and scope.
func split(signal Signal, export []byte, limit int) (exports [][]byte, left rejected) {
	m := membersOf[signal]
	var whole object
	_ = json.Unmarshal(export, &whole)
	for _, r := range whole.array(m.resources) {
		var resource object
		_ = json.Unmarshal(r, &resource)
		for _, s := range resource.array(m.scopes) {
			var scope object
			_ = json.Unmarshal(s, &scope)
			c := cut{limit: limit, head: object{}.with(m.resources) + resource.with(m.scopes) + scope.with(m.items), tail: closed + closed + closed}
			for _, item := range scope.array(m.items) {
				var fault string
				if v, err := fastjson.ParseBytes(item); err != nil {
					fault = "what is nested too deep is left out"
				} else {
					fault = faultOf(signal, v)
				}
				if fault == "" && !c.add(item) {
					fault = fmt.Sprintf("what has more than %d bytes with its resource is left out", limit)
				}
				if fault != "" {
					left.add(fault)
				}
			}
			c.end()
			exports = append(exports, c.exports...)
		}
	}
	return exports, left
}

// cut is the items of one scope on their way into exports.
type cut struct {
	limit      int
	head, tail string // of every export
	body       []byte
	items      int
	exports    [][]byte
}

// add adds an item. It is false if that does not fit an export by itself.
func (c *cut) add(item []byte) bool {
	if len(c.head)+len(item)+len(c.tail) > c.limit {
		return false
	}
	if c.items == itemsMax || len(c.head)+len(c.body)+len(",")+len(item)+len(c.tail) > c.limit {
		c.end()
	}
	if c.items > 0 {
		c.body = append(c.body, ',')
	}
	c.body = append(c.body, item...)
	c.items++
	return true
}

// end ends the export that is being made.
func (c *cut) end() {
	if c.items > 0 {
		c.exports = append(c.exports, []byte(c.head+string(c.body)+c.tail))
	}
	c.body, c.items = c.body[:0], 0
}
