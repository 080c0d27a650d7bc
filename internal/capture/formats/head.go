package formats

import (
	"bytes"

	"github.com/valyala/fastjson"
)

// headRecordsMax is how many records of a head are looked at.
const headRecordsMax = 50

// Head is what the first bytes of an input tell.
type Head struct {
	Format  Format
	Session string          // the first one told
	First   *fastjson.Value // the first object, as far as it is in sight; nil if there is none
	Whole   bool            // all of it is
}

// OfHead recognises an input by its first bytes: by the first of its records that the table knows. Lines that are no JSON are
// passed over, what is cut off is taken as far as it goes, and of an array the elements count.
func OfHead(head []byte) (h Head) {
	head = bytes.TrimPrefix(head, []byte("\ufeff"))
	for range headRecordsMax {
		if h.Format == Unknown && tuple(head) {
			h.Format = LangGraph
		}
		head = bytes.TrimLeft(head, " \t\r\n,[")
		if len(head) == 0 || h.Format != Unknown && h.Session != "" {
			break
		}
		if head[0] != '{' {
			_, head, _ = bytes.Cut(head, []byte("\n"))
			continue
		}
		record, rest := object(head)
		v, err := fastjson.ParseBytes(record)
		if err != nil {
			_, head, _ = bytes.Cut(head, []byte("\n"))
			continue
		}
		if h.First == nil {
			h.First, h.Whole = v, rest != nil
		}
		head = rest
		h.record(v)
	}
	return h
}

// tuple tells whether a head begins with a line that is an event of LangGraph as a tuple.
func tuple(head []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimLeft(head, " \t\r\n"), []byte("\n"))
	if len(line) < 2 || line[0] != '[' || line[1] != '"' && line[1] != '[' {
		return false
	}
	v, err := fastjson.ParseBytes(line)
	if err != nil {
		return false
	}
	_, _, ok := LangGraphTuple(v)
	return ok
}

func (h *Head) record(v *fastjson.Value) {
	format := Of(v)
	if format == Unknown {
		return
	}
	if h.Format == Unknown {
		h.Format = format
	}
	if format == h.Format && h.Session == "" {
		h.Session = format.Session(v)
	}
}

// object returns the object that head begins with and what follows. Of one that is cut off it returns what there is, closed
// where the last of its values ended, and rest is nil.
func object(head []byte) (record, rest []byte) {
	var open []byte // the closers that are owed
	text, escaped, name := false, false, false
	whole, owed := 1, []byte{'}'} // up to where values are whole, and what closes them there
	for i, c := range head {
		switch {
		case text && escaped:
			escaped = false
		case text && c == '\\':
			escaped = true
		case text:
			if c == '"' {
				text = false
				if !name {
					whole, owed = i+1, bytes.Clone(open)
				}
			}
		case c == '"':
			text = true
		case c == '{':
			open, name = append(open, '}'), true
		case c == '[':
			open, name = append(open, ']'), false
		case c == ':':
			name = false
		case c == ',':
			if len(open) > 0 && open[len(open)-1] == '}' {
				name = true
			}
			whole, owed = i, bytes.Clone(open)
		case c == '}' || c == ']':
			open = open[:max(len(open)-1, 0)]
			if len(open) == 0 {
				return head[:i+1], head[i+1:]
			}
			name = false
			whole, owed = i+1, bytes.Clone(open)
		}
	}
	record = append(bytes.Clone(head[:whole]), reversed(owed)...)
	return record, nil
}

func reversed(b []byte) []byte {
	r := make([]byte, 0, len(b))
	for i := len(b) - 1; i >= 0; i-- {
		r = append(r, b[i])
	}
	return r
}
