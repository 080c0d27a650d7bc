package bronze_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"assay/consumers/bronze"
	"assay/internal/capture/framing"
	"assay/streams"
)

func TestUndecodableEventsAreDead(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 400) + "1" + strings.Repeat("}", 400)
	for name, tt := range map[string]struct {
		source streams.Source
		body   string
		reason string // of the first event; the second one is alive
	}{
		"no JSON":           {streams.SourceEvent, "{\"a\": tru}\n{}\n", "not JSON: invalid character '}' in literal true (expecting 'e') at byte 10"},
		"half a line":       {streams.SourceEvent, "{\"a\": \n{}\n", "not JSON: unexpected end of JSON input at byte 6"},
		"control character": {streams.SourceEvent, "{\"a\": \"\x05\\n\"}\n{}\n", `not JSON: invalid character '\x05' in string literal at byte 8`},
		"noise":             {streams.SourceEvent, "\x01\x02\x03\n{}\n", `not JSON: invalid character '\x01' looking for beginning of value at byte 1`},
		"UTF-16":            {streams.SourceEvent, "\xff\xfe{\x00\"\x00a\x00\"\x00:\x001\x00}\x00\n{}\n", "UTF-16 where UTF-8 is expected; convert it, for instance with iconv -f UTF-16 -t UTF-8"},
		"scalar":            {streams.SourceEvent, "3\n{}\n", "JSON number where an object is expected"},
		"scalar in a batch": {streams.SourceEvent, `[1,{}]`, "JSON number where an object is expected"},
		"empty array":       {streams.SourceEvent, "[]\n{}\n", "JSON array where an object is expected"},
		"values":            {streams.SourceEvent, "[[" + strings.Repeat("0,", 1<<21) + "0]]\n{}\n", "JSON of more than 2097152 values; write several records"},
		"depth":             {streams.SourceEvent, deep + "\n{}\n", "JSON nested deeper than 300 levels"},
	} {
		t.Run(name, func(t *testing.T) {
			f := frameOf(tt.source, "s", []byte(tt.body))
			f.Position = 7
			events := bronze.Decode(f, 3)
			if len(events) != 2 {
				t.Fatalf("%d events, want 2", len(events))
			}
			e := events[0]
			if e.Disposition != bronze.Dead || e.Reason != tt.reason || e.Kind != bronze.KindUnknown || e.Position != 7 {
				t.Errorf("got %s %q, kind %s at %d; want %q", e.Disposition, e.Reason, e.Kind, e.Position, tt.reason)
			}
			if len(e.Raw) == 0 || !strings.Contains(tt.body, string(e.Raw)) || e.Bytes != len(e.Raw) {
				t.Errorf("raw is %q of %d bytes", e.Raw, e.Bytes)
			}
			if events[1].Disposition != bronze.Kept || events[1].Position != 8 {
				t.Errorf("the next event is %+v", events[1])
			}
		})
	}
}

func TestUnusableFramesAreDead(t *testing.T) {
	for name, tt := range map[string]struct {
		contentType string
		count       int
		body        string
		reason      string
	}{
		"count too low":  {streams.ContentNDJSON, 1, "{}\n{}\n", "frame says 1 events and holds 2"},
		"count too high": {streams.ContentJSON, 2, "{}", "frame says 2 events and holds 1"},
		"bare data":      {streams.ContentSSE, 1, "{}", "frame says 1 events and holds 0"},
		"too many":       {streams.ContentNDJSON, framing.EventsMax + 1, "{}", "do not fit"},
		"content type":   {"image/png", 1, "{}", `unknown content type "image/png"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := &streams.Frame{Source: "sse", ContentType: tt.contentType, Count: tt.count, Position: 9, Body: []byte(tt.body)}
			events := bronze.Decode(f, 3)
			if len(events) != 1 || events[0].Disposition != bronze.Dead || !strings.Contains(events[0].Reason, tt.reason) ||
				string(events[0].Raw) != tt.body || events[0].Position != 9 || events[0].BronzeSeq != 3 {
				t.Errorf("got %+v", events)
			}
		})
	}
	tail := &streams.Frame{Source: "sse", ContentType: streams.ContentSSE, Body: []byte("data: unfinished")}
	events := bronze.Decode(tail, 1)
	if len(events) != 1 || events[0].Kind != bronze.KindStreamCut || events[0].Status != bronze.StatusError || events[0].Position != 0 {
		t.Errorf("a tail has events %+v, want one that says that the stream was cut", events)
	}
	tail.Body = []byte(": a comment without end")
	if events := bronze.Decode(tail, 1); len(events) != 0 {
		t.Errorf("a comment has events %+v", events)
	}
}

// A byte that is no UTF-8 costs itself and nothing else.
func TestInvalidUTF8IsReplaced(t *testing.T) {
	for source, body := range map[streams.Source]string{
		streams.SourceJSONRPC: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"a\xffb\"}]}}\n",
		streams.SourceSSE:     "data: a\xffb\n\n",
	} {
		e := bronze.Decode(frameOf(source, "s", []byte(body)), 1)[0]
		if e.Disposition != bronze.Kept || e.Text != "a\uFFFDb" || !strings.Contains(string(e.Raw), "\xff") {
			t.Errorf("%s: %s %q, raw %q", source, e.Disposition, e.Text, e.Raw)
		}
	}
}

// Of two members of one name the last counts, as for other readers of the same bytes.
func TestLastMemberOfANameCounts(t *testing.T) {
	for _, body := range []string{
		`{"type":"note","text":"first","text":"last"}`, `{"type":"note","payload":{"text":"first","a":1,"te\u0078t":"x","text":"last"},"x":[{"x":"x:"}]}`,
	} {
		if e := bronze.Decode(frameOf(streams.SourceEvent, "s", []byte(body)), 1)[0]; e.Text != "last" {
			t.Errorf("%s says %q", body, e.Text)
		}
	}
}

func TestDeadFrame(t *testing.T) {
	e := bronze.DeadFrame("bronze.event.wf", []byte("x"), 5, time.Unix(1, 0), errors.New("header"))
	if e.Source != "event" || e.StreamID != "bronze.event.wf" || e.Position != 5 || e.Disposition != bronze.Dead ||
		e.Reason != "header" || string(e.Raw) != "x" {
		t.Errorf("got %+v", e)
	}
	if e := bronze.DeadFrame("nonsense", nil, 5, time.Unix(1, 0), errors.New("subject")); e.Source != "unknown" {
		t.Errorf("got %+v", e)
	}
}

// TestFrameCutsDoNotMatter decodes streams cut into frames at random and expects the events of the whole.
func TestFrameCutsDoNotMatter(t *testing.T) {
	bodies := map[streams.Source][]string{
		streams.SourceSSE: {
			"\ufeff", ": c\r\n\r\n", "\r", "\n", "data: [DONE]\n\n", "id: 1\rdata: {\"choices\":[]}\r\r", "data: \xff\n\n",
			"event: ping\r\ndata: {\"type\": \"ping\"}\r\n\r\n", "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n",
		},
		streams.SourceEvent: {
			"\ufeff", "\n", "{\"type\":\"a\",\"intent_id\":\"i\"}\n", "[{\"jsonrpc\":\"2.0\"},{}, 3]\r\n", "nonsense\n", "[]\n",
		},
	}
	for source, pieces := range bodies {
		rapid.Check(t, func(t *rapid.T) {
			body := []byte(strings.Join(rapid.SliceOf(rapid.SampledFrom(pieces)).Draw(t, "pieces"), ""))
			whole := bronze.Decode(frameOf(source, "s", body), 1)
			var cut []bronze.Event
			for _, f := range cutFrames(t, source, body) {
				cut = append(cut, bronze.Decode(f, 1)...)
			}
			if got, want := describe(cut), describe(whole); got != want {
				t.Fatalf("%q: events in frames\n%s\nof the whole\n%s", body, got, want)
			}
		})
	}
}

// cutFrames frames body as capture does: chunks of any size, each frame some whole units.
func cutFrames(t *rapid.T, source streams.Source, body []byte) []*streams.Frame {
	format := framing.NDJSON
	if source == streams.SourceSSE {
		format = framing.SSE
	}
	var frames []*streams.Frame
	next := *frameOf(source, "s", nil)
	add := func(u framing.Unit) {
		next.Body, next.Count = append(next.Body, u.Raw...), next.Count+u.Events
		if rapid.Bool().Draw(t, "cut") {
			f := next
			frames = append(frames, &f)
			next.Position, next.Count, next.Body = next.Position+uint64(next.Count), 0, nil
		}
	}
	s := framing.NewSplitter(format, 1<<20)
	for rest := body; len(rest) > 0; {
		n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
		for u, err := range s.Write(rest[:n]) {
			if err != nil {
				t.Fatal(err)
			}
			add(u)
		}
		rest = rest[n:]
	}
	add(s.Tail())
	return append(frames, &next)
}

// describe renders events so that they can be compared and read.
func describe(events []bronze.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%+v\n", e)
	}
	return b.String()
}

func FuzzDecode(f *testing.F) {
	for _, c := range goldenCases(f) {
		f.Add(byte(c.format), "", c.body)
	}
	f.Add(byte(framing.EventStream), "", eventStream(f, readFile(f, "testdata", "bedrock.ndjson")))
	f.Add(byte(0), "client", []byte("event: error\ndata: {\"type\":\"error\",\"message\":\"\\ud800\"}\n\n"))
	f.Add(byte(1), "server", []byte(`{"jsonrpc":"2.0","id":null,"result":{"content":[{"text":"\u0000"}]}}`))
	f.Add(byte(0), "", []byte("data:{\"specversion\":\"\",\"type\":\"\",\"source\":\"\",\"id\":\"\"}\n\n"))
	contentTypes := []string{streams.ContentSSE, streams.ContentNDJSON, streams.ContentJSON, streams.ContentEventStream}
	sources := []streams.Source{streams.SourceSSE, streams.SourceJSONRPC, streams.SourceEvent}
	f.Fuzz(func(t *testing.T, variant byte, side string, body []byte) {
		format := framing.Format(variant % 4)
		frame := &streams.Frame{
			Source: sources[variant/4%3], ContentType: contentTypes[format], Workflow: side, Stream: "s\xff", Side: streams.Side(side),
			Body: body, Count: framing.Count(format, body, true),
		}
		events := bronze.Decode(frame, 1)
		records := slices.DeleteFunc(slices.Clone(events), func(e bronze.Event) bool { return e.Part > 0 || e.Kind == bronze.KindStreamCut })
		if len(records) != frame.Count {
			t.Fatalf("%d records of %d", len(records), frame.Count)
		}
		if again := bronze.Decode(frame, 1); describe(again) != describe(events) {
			t.Fatalf("decoded again\n%swas\n%s", describe(again), describe(events))
		}
		position := -1
		for i := range events {
			if events[i].Part == 0 {
				position++
			}
			checkEvent(t, &events[i], uint64(position))
		}
	})
}

// checkEvent checks what holds for every event whatever its bytes.
func checkEvent(t *testing.T, e *bronze.Event, position uint64) {
	t.Helper()
	texts := []string{
		e.Source, e.StreamID, e.WorkflowID, e.EventID, e.Kind, e.IntentID, e.AgentID, e.Capability, e.Provider, string(e.Phase),
		string(e.Status), e.Text, e.Payload, e.FinishReason, e.Error, e.ParentID, e.Reason,
	}
	for _, f := range e.Fragments {
		texts = append(texts, f.Part, f.ID, f.Name, f.Text)
	}
	for _, s := range texts {
		if !utf8.ValidString(s) {
			t.Errorf("%q is not UTF-8", s)
		}
	}
	dead := e.Disposition == bronze.Dead
	if e.Position != position || e.Kind == "" || dead != (e.Reason != "") || dead && e.Payload != "" || e.Payload != "" && !jsonValid(e.Payload) {
		t.Errorf("event %+v at %d", e, position)
	}
	if !e.Time.IsZero() && (e.Time.Year() < 1 || e.Time.Year() > 9999) {
		t.Errorf("time %v", e.Time)
	}
}
