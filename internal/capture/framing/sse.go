package framing

import (
	"bytes"
	"iter"
	"strconv"
)

// Block is one block of an SSE stream, ended by an empty line. Its slices alias the body, except for Data of several
// lines.
type Block struct {
	Raw     []byte // its lines with their terminators, without the empty line that ends it
	Type    []byte // value of its last event field, nil if it has none
	Data    []byte // values of its data fields, joined by LF
	HasData bool   // it has a data field, and so is an event
	ID      []byte // value of its last id field, nil if it has none; an id with a NUL is ignored
	Retry   int    // value of its last retry field in milliseconds, -1 if it has none
}

// ParseSSE yields the events of body: its finished blocks that have data. With first, no event precedes body in its
// stream.
func ParseSSE(body []byte, first bool) iter.Seq[Block] {
	return func(yield func(Block) bool) {
		for b := range Blocks(body, first) {
			if b.HasData && !yield(b) {
				return
			}
		}
	}
}

// Blocks yields the finished blocks of body, also those that are no events: an id or a retry time may come in a block
// of its own. With first, no event precedes body in its stream.
//
// Fields are read as WHATWG defines them, except that the id is only what the block itself says and that bytes which
// are not UTF-8 are left as they are.
func Blocks(body []byte, first bool) iter.Seq[Block] {
	return func(yield func(Block) bool) {
		ends := newLineEnds(body)
		b, start := newBlock(), 0
		for i := 0; ; {
			if first && i == start && bytes.HasPrefix(body[i:], bom) {
				i += len(bom)
				start = i
			}
			end := ends.next(i)
			if end == len(body) {
				return // an unfinished line, and with it its block, is not dispatched
			}
			line, next := body[i:end], ends.after(end)
			if len(line) > 0 {
				b.field(line)
				i = next
				continue
			}
			if i > start {
				b.Raw = body[start:i]
				first = first && !b.HasData
				if !yield(b) {
					return
				}
			}
			b, i, start = newBlock(), next, next
		}
	}
}

func newBlock() Block { return Block{Retry: -1} }

// field takes one line, which is not empty.
func (b *Block) field(line []byte) {
	name, value, _ := bytes.Cut(line, []byte{':'})
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	switch string(name) {
	case "data":
		b.addData(value)
	case "event":
		b.Type = value
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			b.ID = present(value)
		}
	case "retry":
		if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
			b.Retry = int(ms)
		}
	}
}

func (b *Block) addData(value []byte) {
	if !b.HasData {
		b.HasData = true
		b.Data = value[:len(value):len(value)] // so that appending copies
		return
	}
	b.Data = append(append(b.Data, '\n'), value...)
}

// present makes an empty value different from none.
func present(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	return value
}

// Unfinished returns the bytes of body after its last finished block: an event that the stream's end cuts off, if any. With
// first, no event precedes body in its stream.
func Unfinished(body []byte, first bool) []byte {
	ends := newLineEnds(body)
	start := 0
	if first && bytes.HasPrefix(body, bom) {
		start = len(bom)
	}
	for i := start; ; {
		end := ends.next(i)
		if end == len(body) {
			return body[start:]
		}
		next := ends.after(end)
		if end == i {
			start = next
		}
		i = next
	}
}
