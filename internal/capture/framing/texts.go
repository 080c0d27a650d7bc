package framing

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Texts yields the events of a body of NDJSON or JSON: its lines, or its one document, arrays split up into their
// elements. They need not be valid JSON. With first, no event precedes body in its stream.
//
// Of an event stream it yields the messages, for ParseMessage.
//
// Of a JSON body that holds several objects one after the other, each of which begins on a line of its own behind the end of the one
// before it, it yields each.
//
// A line comes without its terminator, an element without the white space around it; both alias body.
func Texts(f Format, body []byte, first bool) iter.Seq[[]byte] {
	if f == EventStream {
		return messages(body)
	}
	return func(yield func([]byte) bool) {
		for len(body) > 0 {
			text := body
			body = nil
			if f == NDJSON {
				text, body, _ = bytes.Cut(text, []byte{'\n'})
			} else {
				text, body = document(text)
			}
			if first {
				text = bytes.TrimPrefix(text, bom)
			}
			if isBlank(text) {
				continue
			}
			first = false
			for element := range Elements(trimTerminator(text)) {
				if !yield(element) {
					return
				}
			}
		}
	}
}

// document returns the first of the objects that a JSON body may hold one after the other, and what follows it. Within one document
// there is a comma between two objects, and no line break within a string.
func document(body []byte) (first, rest []byte) {
	for _, between := range []string{"}\n{", "}\r\n{"} {
		if end := bytes.Index(body, []byte(between)); end >= 0 {
			return body[:end+1], body[end+len(between)-1:]
		}
	}
	return body, nil
}

func trimTerminator(text []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte{'\n'}), []byte{'\r'})
}

// Elements yields the events of one JSON text: the elements if it is an array of 1 to EventsMax elements, else the text
// itself. A text and what it names, perhaps behind a path, is no batch but a tuple, and so one event.
func Elements(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		elements := split(text)
		if elements == nil {
			yield(text)
			return
		}
		for _, e := range elements {
			if !yield(e) {
				return
			}
		}
	}
}

// split returns the elements of text, nil if it is no array that is to be split.
func split(text []byte) [][]byte {
	array := trimSpace(text)
	if len(array) == 0 || array[0] != '[' || !json.Valid(array) {
		return nil
	}
	var elements [][]byte
	inner := array[1 : len(array)-1]
	for start := 0; start < len(inner); {
		end := start + elementEnd(inner[start:])
		element := trimSpace(inner[start:end])
		if len(element) == 0 || len(elements) == EventsMax {
			return nil
		}
		elements = append(elements, element)
		start = end + 1
	}
	if isTuple(elements) {
		return nil
	}
	return elements
}

// isTuple tells a name and an object or list, perhaps with a list before them, from a batch.
func isTuple(elements [][]byte) bool {
	if len(elements) == 3 && elements[0][0] == '[' {
		elements = elements[1:]
	}
	return len(elements) == 2 && elements[0][0] == '"' && (elements[1][0] == '{' || elements[1][0] == '[')
}

// elementEnd returns the index of the comma behind the first element of s, len(s) if it is the last one. What s is cut
// from is valid, so brackets need not be told apart.
func elementEnd(s []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 0:
			return i
		}
	}
	return len(s)
}

// jsonSpace is JSON's white space, which is narrower than Unicode's.
const jsonSpace = " \t\r\n"

func trimSpace(s []byte) []byte { return bytes.Trim(s, jsonSpace) }

func isBlank(s []byte) bool { return len(bytes.TrimLeft(s, jsonSpace)) == 0 }
