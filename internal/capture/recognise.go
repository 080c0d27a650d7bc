package capture

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"assay/internal/capture/framing"
	"assay/streams"
)

// headBytes is how much of an input is looked at to recognise it.
const headBytes = 64 << 10

// recording is how the bytes of an input are to be captured.
type recording struct {
	source streams.Source
	format framing.Format
}

// eventKeys are the top-level keys of which a state event or a CloudEvent has at least one.
var eventKeys = map[string]bool{"topology_class": true, "type": true, "event_type": true, "specversion": true}

// Head returns the first bytes of r without consuming them: up to headBytes, or less once it has a whole line that is
// not blank, so that a pipe whose writer pauses is recognised by what it has sent. It returns io.EOF for an empty input.
func Head(r *bufio.Reader) ([]byte, error) {
	for n := 1; ; n = r.Buffered() + 1 {
		b, err := r.Peek(min(n, headBytes))
		if len(b) == 0 {
			return nil, err
		}
		b, _ = r.Peek(r.Buffered())
		if err != nil || len(b) >= headBytes || bytes.ContainsAny(bytes.TrimLeft(b, "\ufeff \t\r\n"), "\r\n") {
			return b, ignoreEOF(err)
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// recognise tells what an input holds from the extension of its name and its first bytes. An extension that is known is
// believed, so that a damaged recording is captured too (what cannot be decoded becomes a dead letter), with one
// exception: JSON lines whose first object is neither JSON-RPC nor an event are no recording, such as an index that lies
// beside one. A source that is not empty overrules all doubt.
//
// The error wraps ErrNotInput.
func recognise(name string, first []byte, source streams.Source) (recording, error) {
	ext := strings.ToLower(path.Ext(name))
	if source == streams.SourceSSE || source == "" && (ext == ".sse" || !isJSONExt(ext) && looksLikeSSE(first)) {
		return recording{streams.SourceSSE, framing.SSE}, nil
	}
	format := framing.NDJSON
	if ext == ".json" && !startsWithJSONLine(first) {
		format = framing.JSON
	}
	if source != "" {
		return recording{source, format}, nil
	}
	keys, found := firstObject(first)
	switch {
	case keys["jsonrpc"]:
		return recording{streams.SourceJSONRPC, format}, nil
	case intersects(keys, eventKeys), isJSONExt(ext) && !found:
		return recording{streams.SourceEvent, format}, nil
	case isJSONExt(ext):
		return recording{}, fmt.Errorf("%w: its first object is neither JSON-RPC nor an event (no jsonrpc, topology_class, type,"+
			" event_type or specversion); --source event captures it anyway", ErrNotInput)
	default:
		return recording{}, fmt.Errorf("%w: neither its name (.sse, .ndjson, .jsonl, .json) nor its first line tells what it holds;"+
			" --source sse, jsonrpc or event says so", ErrNotInput)
	}
}

// FormatOfBody tells from the first bytes of a body whether it is JSON, JSON lines or an event stream; it is not ok for what
// is none of them.
func FormatOfBody(first []byte) (format framing.Format, ok bool) {
	line, rest, _ := bytes.Cut(bytes.TrimLeft(first, "\ufeff \t\r\n"), []byte("\n"))
	switch {
	case bytes.HasPrefix(line, []byte("{")) || bytes.HasPrefix(line, []byte("[")):
		if json.Valid(line) && len(bytes.TrimSpace(rest)) > 0 {
			return framing.NDJSON, true
		}
		return framing.JSON, true
	case looksLikeSSE(first):
		return framing.SSE, true
	}
	return framing.NDJSON, false
}

// SourceOf tells from the first bytes of a JSON body whether it is JSON-RPC.
func SourceOf(first []byte) streams.Source {
	if keys, _ := firstObject(first); keys["jsonrpc"] {
		return streams.SourceJSONRPC
	}
	return streams.SourceEvent
}

func isJSONExt(ext string) bool { return ext == ".ndjson" || ext == ".jsonl" || ext == ".json" }

// looksLikeSSE reports whether the first line that is not blank is a field or a comment of an event stream.
func looksLikeSSE(first []byte) bool {
	first = bytes.TrimLeft(first, "\ufeff\r\n")
	for _, field := range []string{"data:", "event:", "id:", "retry:", ":"} {
		if bytes.HasPrefix(first, []byte(field)) {
			return true
		}
	}
	return false
}

// startsWithJSONLine reports whether the first line is a JSON value of its own, or too long to see its end.
func startsWithJSONLine(first []byte) bool {
	line, _, ended := bytes.Cut(bytes.TrimLeft(first, "\ufeff \t\r\n"), []byte("\n"))
	return !ended || json.Valid(line)
}

// firstObject returns the top-level keys of the first JSON object in the first bytes of an input, as far as it can be
// seen, and whether there is one whose keys are all in sight. Lines before it that are not JSON are passed over; of an
// array the first element counts.
func firstObject(first []byte) (keys map[string]bool, whole bool) {
	first = bytes.TrimPrefix(first, []byte("\ufeff"))
	for len(first) > 0 {
		rest := bytes.TrimLeft(first, " \t\r\n[")
		if bytes.HasPrefix(rest, []byte("{")) {
			if keys, whole = topLevelKeys(rest); whole || len(keys) > 0 {
				return keys, whole
			}
		}
		_, first, _ = bytes.Cut(rest, []byte("\n"))
	}
	return nil, false
}

// topLevelKeys returns the keys of the object that object begins with, up to where it is cut or broken.
func topLevelKeys(object []byte) (keys map[string]bool, whole bool) {
	keys = map[string]bool{}
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		return keys, false
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return keys, false
		}
		name, _ := key.(string)
		keys[name] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return keys, false
		}
	}
	_, err := dec.Token()
	return keys, err == nil
}

func intersects(a, b map[string]bool) bool {
	for key := range a {
		if b[key] {
			return true
		}
	}
	return false
}
