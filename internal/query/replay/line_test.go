package replay

import (
	"encoding/json"
	"strings"
	"testing"

	"assay/streams"
)

func TestApart(t *testing.T) {
	f := func(stream, contentType, exchange, body string) *streams.Frame {
		return &streams.Frame{Stream: stream, ContentType: contentType, Exchange: exchange, Body: []byte(body)}
	}
	for name, c := range map[string]struct {
		last, next *streams.Frame
		want       bool
	}{
		"request and answer":   {f("x/client", streams.ContentJSON, "x", "{}"), f("x/server", streams.ContentSSE, "x", "data: 1\n\n"), true},
		"ended by itself":      {f("a", streams.ContentSSE, "", "data: 1\n\n"), f("b", streams.ContentJSON, "", "{}"), false},
		"pieces of one body":   {f("a", streams.ContentSSE, "", "data: 1"), f("a", streams.ContentSSE, "", "\n\n"), false},
		"bodies of a session":  {f("s", streams.ContentJSON, "x", "{}"), f("s", streams.ContentJSON, "y", "{}"), true},
		"an unfinished answer": {f("a", streams.ContentSSE, "x", "data: 1"), f("b", streams.ContentJSON, "y", "{}"), true},
	} {
		if got := apart(c.last, c.next); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFrameAsJSON(t *testing.T) {
	f := selected{&streams.Frame{Source: streams.SourceSSE, Workflow: "w", Stream: "s", Position: 3, Count: 1, Body: []byte("data: é\n\n")}, 7}
	var got map[string]any
	if err := json.Unmarshal(f.json(), &got); err != nil || got["body"] != "data: é\n\n" || got["seq"] != 7.0 || got["position"] != 3.0 {
		t.Errorf("%s, %v", f.json(), err)
	}
	f.Body = []byte{0xff}
	if line := string(f.json()); !strings.Contains(line, `"body_base64":"/w=="`) || strings.Contains(line, `"body":`) || !strings.HasSuffix(line, "}\n") {
		t.Error(line)
	}
}
