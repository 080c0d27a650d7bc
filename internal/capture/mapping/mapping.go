// Package mapping says which members of a user's own events hold what Assay asks of an event.
//
//	workflow=session_id,intent=call.id   ──Parse──►  Mapping  ──►  the decoder, which reads these members too
//
// The text goes with each frame that was captured with it, so whoever decodes the frame later, an audit or a rebuild, reads
// the same.
package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrMapping means that a text is no mapping.
var ErrMapping = errors.New("mapping: not FIELD=MEMBER,…")

// BytesMax limits a mapping's text: it becomes part of every frame's headers.
const BytesMax = 1 << 10

// Field is what Assay asks of an event.
type Field string

// The fields.
const (
	Workflow        Field = "workflow"           // conversation or session that the event belongs to
	Intent          Field = "intent"             // what pairs a call with its result
	ID              Field = "id"                 // the event's own id
	Kind            Field = "kind"               // what it is; names such as tool_call and tool_result tell beginning and end
	Agent           Field = "agent"              // who
	Tool            Field = "tool"               // which tool or model
	Parent          Field = "parent"             // id of the event that caused it
	Role            Field = "role"               // of a message
	Time            Field = "time"               // when
	Duration        Field = "duration_ms"        // how long it took, in milliseconds, at its end
	Status          Field = "status"             // ok, error, cancelled and other words for these
	Error           Field = "error"              // what went wrong
	Text            Field = "text"               // what is worth reading
	InputTokens     Field = "input_tokens"       //
	OutputTokens    Field = "output_tokens"      //
	CachedTokens    Field = "cached_tokens"      // of the input
	ReasoningTokens Field = "reasoning_tokens"   // of the output
	WrittenTokens   Field = "cache_write_tokens" // of the input
	Cost            Field = "cost_usd"           //
)

// Fields are all fields, in the order in which they are told of.
var Fields = []Field{
	Workflow, Intent, ID, Kind, Agent, Tool, Parent, Role, Time, Duration, Status, Error, Text,
	InputTokens, OutputTokens, CachedTokens, ReasoningTokens, WrittenTokens, Cost,
}

// Mapping holds for each field that it maps the path of the member that holds it.
type Mapping map[Field][]string

// Parse reads a mapping such as workflow=session_id,intent=call.id, in which dots lead into objects. "" maps nothing.
// Errors wrap ErrMapping.
func Parse(text string) (Mapping, error) {
	if len(text) > BytesMax {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrMapping, BytesMax)
	}
	m := Mapping{}
	for rule := range strings.SplitSeq(text, ",") {
		if rule = strings.TrimSpace(rule); rule == "" {
			continue
		}
		name, member, _ := strings.Cut(rule, "=")
		if err := m.set(strings.TrimSpace(name), strings.TrimSpace(member)); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Of is Parse of rules that are apart already, as settings hold them.
func Of(rules map[string]string) (Mapping, error) {
	m := Mapping{}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if err := m.set(name, rules[name]); err != nil {
			return nil, err
		}
	}
	if len(m.String()) > BytesMax {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrMapping, BytesMax)
	}
	return m, nil
}

func (m Mapping) set(name, member string) error {
	field := Field(name)
	switch path := strings.Split(member, "."); {
	case !slices.Contains(Fields, field):
		return fmt.Errorf("%w: there is no field %q; the fields are %s", ErrMapping, name, names())
	case slices.Contains(path, "") || strings.ContainsAny(member, ",=\r\n\x00"):
		return fmt.Errorf("%w: field %s needs the name of a member, such as %s=session_id, with dots between those of objects", ErrMapping, name, name)
	case m[field] != nil:
		return fmt.Errorf("%w: field %s is mapped twice", ErrMapping, name)
	default:
		m[field] = path
	}
	return nil
}

func names() string {
	all := make([]string, 0, len(Fields))
	for _, f := range Fields {
		all = append(all, string(f))
	}
	return strings.Join(all, ", ")
}

// String is the mapping as Parse reads it, always the same for the same rules.
func (m Mapping) String() string {
	var rules []string
	for _, f := range Fields {
		if path := m[f]; path != nil {
			rules = append(rules, string(f)+"="+strings.Join(path, "."))
		}
	}
	return strings.Join(rules, ",")
}
