package framing_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/tmaxmax/go-sse"

	"assay/internal/capture/framing"
)

// event is what two parsers can be compared by.
type event struct{ typ, data, id string }

func parse(body []byte, first bool) []event {
	var events []event
	for b := range framing.ParseSSE(body, first) {
		events = append(events, event{string(b.Type), string(b.Data), string(b.ID)})
	}
	return events
}

// oracle reads body as WHATWG's text says, line by line and without regard to speed.
func oracle(body string) []event {
	body = strings.TrimPrefix(body, "\ufeff")
	body = strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\r", "\n")
	var events []event
	var e event
	hasData := false
	lines := strings.Split(body, "\n")
	for _, line := range lines[:len(lines)-1] {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if hasData {
				e.data = strings.TrimSuffix(e.data, "\n")
				events = append(events, e)
			}
			e, hasData = event{}, false
		case name == "data":
			e.data, hasData = e.data+value+"\n", true
		case name == "event":
			e.typ = value
		case name == "id" && !strings.Contains(value, "\x00"):
			e.id = value
		}
	}
	return events
}

func TestParseSSE(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want []event
	}{
		"line feeds":             {"data: a\n\ndata: b\n\n", []event{{data: "a"}, {data: "b"}}},
		"carriage returns":       {"data: a\r\rdata: b\r\r", []event{{data: "a"}, {data: "b"}}},
		"both":                   {"data: a\r\n\r\ndata: b\r\n\r\n", []event{{data: "a"}, {data: "b"}}},
		"mixed":                  {"event: x\rdata: a\r\n\ndata: b\n\r\n", []event{{typ: "x", data: "a"}, {data: "b"}}},
		"lines of data":          {"data: a\ndata\ndata:  b\n\n", []event{{data: "a\n\n b"}}},
		"data without colon":     {"data\n\n", []event{{}}},
		"empty data":             {"event: x\ndata:\n\n", []event{{typ: "x"}}},
		"no data":                {"event: x\nid: 1\n\ndata: a\n\n", []event{{data: "a"}}},
		"comments":               {": hi\n\n:\ndata: a\n: there\n\n", []event{{data: "a"}}},
		"byte order mark":        {"\ufeffdata: a\n\n\ufeffdata: b\n\n", []event{{data: "a"}}},
		"mark behind comments":   {": hi\n\n\ufeffdata: a\n\n", []event{{data: "a"}}},
		"id with NUL":            {"id: 1\nid: 2\x00\ndata: a\n\n", []event{{data: "a", id: "1"}}},
		"last field counts":      {"event: x\nevent: y\nid: 1\nid\ndata: a\n\n", []event{{typ: "y", data: "a"}}},
		"unknown fields":         {"Data: x\n data: y\ndatas: z\n\ndata: a\n\n", []event{{data: "a"}}},
		"colons in value":        {"data: a: b\n\n", []event{{data: "a: b"}}},
		"unfinished block":       {"data: a\n\ndata: b\n", []event{{data: "a"}}},
		"unfinished line":        {"data: a\n\ndata: b", []event{{data: "a"}}},
		"LF of the frame before": {"\ndata: a\n\n", []event{{data: "a"}}},
		"nothing":                {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := parse([]byte(tt.body), true); !slices.Equal(got, tt.want) {
				t.Errorf("%q: got %q, want %q", tt.body, got, tt.want)
			}
		})
	}
}

func TestRawIsTheBlockWithoutItsBlankLine(t *testing.T) {
	body := "\ufeff: hi\r\ndata: a\r\n\r\n: alone\n\n\r\nid: 7\rdata: b\r\rdata: c"
	var raws []string
	for b := range framing.ParseSSE([]byte(body), true) {
		raws = append(raws, string(b.Raw))
	}
	if want := []string{": hi\r\ndata: a\r\n", "id: 7\rdata: b\r"}; !slices.Equal(raws, want) {
		t.Errorf("got %q, want %q", raws, want)
	}
}

func TestBlocksBringRetryAndIDWithoutData(t *testing.T) {
	var retries []int
	var ids []string
	for b := range framing.Blocks([]byte("retry: 250\nid: a\n\nretry: +1\nid\n\ndata: x\n\n"), true) {
		retries = append(retries, b.Retry)
		if b.ID != nil {
			ids = append(ids, string(b.ID))
		}
	}
	if !slices.Equal(retries, []int{250, -1, -1}) || !slices.Equal(ids, []string{"a", ""}) {
		t.Errorf("got retries %v and ids %q", retries, ids)
	}
}

func TestRecordingsAgreeWithGoSSE(t *testing.T) {
	total := 0
	for name, body := range recordings(t, "sse/*.sse") {
		got := parse(body, true)
		total += len(got)
		if want := oracle(string(body)); !slices.Equal(got, want) {
			t.Errorf("%s: %d events, the oracle finds %d", name, len(got), len(want))
		}
		if want := goSSE(t, body); !slices.Equal(withData(got), withData(want)) {
			t.Errorf("%s: %d events, go-sse finds %d", name, len(got), len(want))
		}
	}
	if total != 15_243 {
		t.Errorf("%d events in all recordings, want 15,243", total)
	}
}

// goSSE parses with go-sse, which keeps the last id of the stream with every event; the recordings' few ids are left
// out of the comparison.
func goSSE(tb testing.TB, body []byte) []event {
	var events []event
	for e, err := range sse.Read(bytes.NewReader(body), &sse.ReadConfig{MaxEventSize: 1 << 24}) {
		if err != nil {
			tb.Fatal(err)
		}
		events = append(events, event{typ: e.Type, data: e.Data})
	}
	return events
}

// withData drops what go-sse counts as an event although it has no data, and with it events whose data is empty.
func withData(events []event) []event {
	var kept []event
	for _, e := range events {
		if e.data != "" {
			kept = append(kept, event{typ: e.typ, data: e.data})
		}
	}
	return kept
}

func FuzzParseSSE(f *testing.F) {
	f.Add("data: a\r\ndata\r\n\r\n: x\revent: y\rid: 1\rdata: b\r\r")
	f.Add("\ufeffevent: x\ndata: {\"a\": 1}\n\nretry: 5\n\n")
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(strings.TrimPrefix(body, "\ufeff"), "\ufeff") {
			t.Skip("a mark behind leading comments is ignored on purpose")
		}
		got := parse([]byte(body), true)
		if want := oracle(body); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, the oracle %q", body, got, want)
		}
		if want := goSSE(t, []byte(body)); !slices.Equal(withData(got), withData(want)) {
			t.Errorf("%q: got %q, go-sse %q", body, got, want)
		}
	})
}

func BenchmarkParseSSE(b *testing.B) {
	var body []byte
	for _, file := range recordings(b, "sse/*.sse") {
		body = append(append(body, file...), "\n\n"...)
	}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		for range framing.ParseSSE(body, true) {
		}
	}
}
