package streams

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"
)

func TestTokensAndHeadersRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anyString().Draw(t, "s")
		token := EscapeToken(s)
		if token == "" || strings.ContainsAny(token, ". *>\t\r\n") {
			t.Fatalf("EscapeToken(%q) = %q is no legal token", s, token)
		}
		if back, err := UnescapeToken(token); err != nil || back != s {
			t.Fatalf("UnescapeToken(%q) = %q, %v; want %q", token, back, err, s)
		}
		value := EscapeHeader(s)
		if value == "" || strings.ContainsAny(value, " \t\r\n") {
			t.Fatalf("EscapeHeader(%q) = %q does not survive as a header", s, value)
		}
		if back := UnescapeHeader(value); back != s {
			t.Fatalf("UnescapeHeader(%q) = %q; want %q", value, back, s)
		}
	})
}

func TestEscapeToken(t *testing.T) {
	for s, want := range map[string]string{
		"": "%", "%": "%25", "wf-1_A": "wf-1_A", "sse/000": "sse%2F000", "a.b*c>d e": "a%2Eb%2Ac%3Ed%20e",
		"héllo": "héllo", "\xff": "%FF", "\u2028": "\u2028",
	} {
		if got := EscapeToken(s); got != want {
			t.Errorf("EscapeToken(%q) = %q; want %q", s, got, want)
		}
	}
	for _, token := range []string{"%4", "a%", "%zz", "%2f"} {
		if s, err := UnescapeToken(token); err == nil {
			t.Errorf("UnescapeToken(%q) = %q; want an error", token, s)
		}
	}
}

func TestFrameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFrame().Draw(t, "frame")
		if err := f.validate(); err != nil {
			t.Fatal(err)
		}
		msg := f.Msg()
		back, err := ParseFrame(msg.Subject, msg.Header, msg.Data, 7, time.Unix(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(f, back) {
			t.Fatalf("read back as %+v; want %+v", back, f)
		}
	})
}

func TestBareEventsGetDefaults(t *testing.T) {
	stored := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	f, err := ParseFrame("bronze.event.wf%2D1", nil, []byte("{}"), 42, stored)
	if err != nil {
		t.Fatal(err)
	}
	want := &Frame{
		Source: SourceEvent, Workflow: "wf-1", ContentType: ContentJSON, Stream: "bronze.event.wf%2D1", Position: 42,
		Count: 1, Captured: stored.UTC(), Body: []byte("{}"),
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got %+v; want %+v", f, want)
	}
	if f, _ := ParseFrame("bronze.sse.x", nil, nil, 1, stored); f.ContentType != ContentSSE {
		t.Errorf("content type of the source sse is %q", f.ContentType)
	}
}

func TestMalformedMessages(t *testing.T) {
	for name, msg := range map[string]nats.Msg{
		"source":    {Subject: "bronze.csv.wf"},
		"tokens":    {Subject: "bronze.sse"},
		"workflow":  {Subject: "bronze.sse.%4"},
		"position":  {Subject: "bronze.sse.wf", Header: nats.Header{HeaderPosition: {"-1"}}},
		"position+": {Subject: "bronze.sse.wf", Header: nats.Header{HeaderPosition: {"9223372036854775808"}}},
		"count":     {Subject: "bronze.sse.wf", Header: nats.Header{HeaderCount: {"2147483648"}}},
		"time":      {Subject: "bronze.sse.wf", Header: nats.Header{HeaderTime: {"yesterday"}}},
		"shed":      {Subject: "bronze.sse.wf", Header: nats.Header{HeaderShed: {"1.5"}}},
		"shed NaN":  {Subject: "bronze.sse.wf", Header: nats.Header{HeaderShed: {"NaN"}}},
		"side":      {Subject: "bronze.sse.wf", Header: nats.Header{HeaderSide: {"left"}}},
	} {
		if _, err := ParseFrame(msg.Subject, msg.Header, nil, 1, time.Now()); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: error is %v; want ErrFrame", name, err)
		}
	}
}

func TestInvalidFramesAreNotWritten(t *testing.T) {
	for name, spoil := range map[string]func(*Frame){
		"source":       func(f *Frame) { f.Source = "csv" },
		"content type": func(f *Frame) { f.ContentType = "text/plain\r\nEvil: 1" },
		"no type":      func(f *Frame) { f.ContentType = "" },
		"position":     func(f *Frame) { f.Position = math.MaxUint64 },
		"count":        func(f *Frame) { f.Count = -1 },
		"shed":         func(f *Frame) { f.Shed = math.NaN() },
		"side":         func(f *Frame) { f.Side = "left" },
		"workflow":     func(f *Frame) { f.Workflow = strings.Repeat("/", SubjectBytesMax) },
		"stream":       func(f *Frame) { f.Stream = strings.Repeat("s", StreamBytesMax+1) },
	} {
		f := testFrame("s", 0)
		spoil(f)
		if err := f.validate(); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: error is %v; want ErrFrame", name, err)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	f.Add("bronze.sse.wf", "text/event-stream", "s%2F1", "0", "1", "2026-01-02T03:04:05.6Z", "0.5", "client", []byte("data: x\n\n"))
	f.Add("bronze.event.%", "", "", "x", "-1", "now", "NaN", "", []byte(nil))
	f.Fuzz(func(t *testing.T, subject, contentType, stream, position, count, at, shed, side string, body []byte) {
		h := nats.Header{
			HeaderContentType: {contentType}, HeaderStream: {stream}, HeaderPosition: {position}, HeaderCount: {count},
			HeaderTime: {at}, HeaderShed: {shed}, HeaderSide: {side},
		}
		frame, err := ParseFrame(subject, h, body, 1, time.Unix(1, 0))
		if err != nil {
			if !errors.Is(err, ErrFrame) {
				t.Fatalf("error %v does not wrap ErrFrame", err)
			}
			return
		}
		if frame.validate() != nil {
			return // readable, but not what this program would write
		}
		msg := frame.Msg()
		back, err := ParseFrame(msg.Subject, msg.Header, msg.Data, 2, time.Unix(2, 0))
		if err != nil || back.ID() != frame.ID() || !back.Captured.Equal(frame.Captured) {
			t.Fatalf("%+v was read back as %+v, %v", frame, back, err)
		}
	})
}

// anyString draws any bytes, also such that are no UTF-8.
func anyString() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) }))
}

func anyFrame() *rapid.Generator[*Frame] {
	return rapid.Custom(func(t *rapid.T) *Frame {
		return &Frame{
			Source:      rapid.SampledFrom([]Source{SourceSSE, SourceJSONRPC, SourceEvent, SourceOTLP, SourceHTTP}).Draw(t, "source"),
			Workflow:    anyString().Draw(t, "workflow"),
			Map:         rapid.SampledFrom([]string{"", "workflow=session_id,text=é"}).Draw(t, "map"),
			ContentType: rapid.SampledFrom([]string{ContentSSE, ContentNDJSON, ContentJSON}).Draw(t, "type"),
			Stream:      anyString().Draw(t, "stream"),
			Position:    rapid.Uint64Max(math.MaxInt64).Draw(t, "position"),
			Count:       rapid.IntRange(0, math.MaxInt32).Draw(t, "count"),
			Captured:    time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "ns")).UTC(),
			Shed:        rapid.Float64Range(0, 1).Draw(t, "shed"),
			Side:        rapid.SampledFrom([]Side{"", SideClient, SideServer}).Draw(t, "side"),
			Exchange:    rapid.StringN(-1, -1, ExchangeBytesMax).Draw(t, "exchange"),
			Body:        rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
	})
}
