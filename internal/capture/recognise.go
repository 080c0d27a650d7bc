package capture

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
	"assay/internal/capture/framing"
	"assay/streams"
)

// headBytes is how much of an input is looked at to recognise it.
const headBytes = 64 << 10

// recording is how the bytes of an input are to be captured.
type recording struct {
	source  streams.Source
	format  framing.Format
	session string // that its records belong to, "" if the first bytes tell none
}

// eventKeys are the top-level keys of which a state event or a CloudEvent has at least one.
var eventKeys = []string{"topology_class", "type", "event_type", "specversion"}

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

// recognise tells what an input holds from its first bytes, and from the extension of its name where these leave it open. An
// extension that is known is believed, so that a damaged recording is captured too (what cannot be decoded becomes a dead
// letter), with one exception: JSON lines whose first object is of no known format and no event are no recording, such as an
// index that lies beside one. A source that is not empty overrules all doubt.
//
// The error wraps ErrNotInput.
func recognise(name string, first []byte, source streams.Source) (recording, error) {
	if framing.IsEventStream(first) {
		return recording{source: cmp.Or(source, streams.SourceEvent), format: framing.EventStream}, nil
	}
	if isUTF16(first) {
		return recording{}, fmt.Errorf("%w: it is UTF-16; convert it, for instance with iconv -f UTF-16 -t UTF-8", ErrNotInput)
	}
	ext := strings.ToLower(path.Ext(name))
	if source == streams.SourceSSE || source == "" && (ext == ".sse" || !isJSONExt(ext) && looksLikeSSE(first)) {
		return recording{source: streams.SourceSSE, format: framing.SSE}, nil
	}
	head := formats.OfHead(first)
	rec := recording{source: source, format: framing.NDJSON, session: head.Session}
	if ext == ".json" && !startsWithJSONLine(first) || isDocument(first) {
		rec.format = framing.JSON
	}
	if source != "" {
		return rec, nil
	}
	switch {
	case head.Format != formats.Unknown:
		rec.source = head.Format.Source()
		return rec, nil
	case isEvent(head.First), isJSONExt(ext) && !head.Whole:
		rec.source = streams.SourceEvent
		return rec, nil
	case isJSONExt(ext):
		return recording{}, fmt.Errorf("%w: its first object is of no known format and no event (no jsonrpc, topology_class, type,"+
			" event_type or specversion); --source event captures it anyway, and --map says what its members are: docs/events.md", ErrNotInput)
	default:
		return recording{}, fmt.Errorf("%w: neither its name (.sse, .ndjson, .jsonl, .json) nor its first line tells what it holds;"+
			" --source sse, jsonrpc or event says so", ErrNotInput)
	}
}

// isUTF16 tells by the byte order mark or, without one, by every other byte being zero, as those of ASCII in UTF-16 are.
func isUTF16(first []byte) bool {
	if bytes.HasPrefix(first, []byte{0xFF, 0xFE}) || bytes.HasPrefix(first, []byte{0xFE, 0xFF}) {
		return true
	}
	first = first[:min(len(first), 64)]
	return len(first) > 1 && bytes.Count(first, []byte{0})*3 >= len(first)
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

func isEvent(v *fastjson.Value) bool {
	return slices.ContainsFunc(eventKeys, func(key string) bool { return v.Exists(key) })
}

// SourceOf tells from the first bytes of a JSON body under which source it is kept.
func SourceOf(first []byte) streams.Source { return formats.OfHead(first).Format.Source() }

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

// isDocument reports whether the first line only opens an object or a list, as that of a document laid out for people does.
func isDocument(first []byte) bool {
	line, _, ended := bytes.Cut(bytes.TrimLeft(first, "\ufeff \t\r\n"), []byte("\n"))
	line = bytes.TrimSpace(line)
	return ended && len(line) == 1 && (line[0] == '{' || line[0] == '[')
}
