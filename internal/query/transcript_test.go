package query

import (
	"strings"
	"testing"
	"time"
)

func TestATranscriptIsReadFromTopToBottom(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC)
	said := turns([]Entity{
		{Kind: "user", StartedAt: at, Status: "ok", Text: "What is the\nweather?"},
		{Kind: "message", StartedAt: at.Add(time.Second), Capability: "gpt-x", Status: "ok", LatencyUS: 1_234_567, Reasoning: "Look it up.", Text: "It rains."},
		{Kind: "call", StartedAt: at.Add(2 * time.Second), Capability: "weather", Status: "error", Request: `{"city":"Oslo"}`, Error: "no \x1b[31msuch\u202e city"},
	})
	var out strings.Builder
	if err := (&Transcript{Zone: time.UTC}).Write(&out, said); err != nil {
		t.Fatal(err)
	}
	const want = `— Wednesday 4 March 2026, UTC —

05:06:07.008  user
What is the
weather?

05:06:08.008  gpt-x  1.2s
    (reasoning) Look it up.
It rains.

05:06:09.008  weather  error
  → {"city":"Oslo"}
  ! no �[31msuch� city

`
	if out.String() != want {
		t.Errorf("written\n%s, want\n%s", out.String(), want)
	}
}

// On a terminal one sees who speaks and what failed; what was recorded colours nothing.
func TestATranscriptInColour(t *testing.T) {
	said := turns([]Entity{{Kind: "call", Capability: "weather", Status: "error", Request: `{"city":"\x1b[32mOslo"}`, Error: "no such city"}})
	var out strings.Builder
	if err := (&Transcript{Zone: time.UTC, Colour: true}).Write(&out, said); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "\x1b[31mweather\x1b[0m") || !strings.Contains(text, "\x1b[31m  ! no such city\x1b[0m") || strings.Contains(text, "\x1b[32m") {
		t.Errorf("written %q", text)
	}
}

func TestLatenciesHaveTwoDigits(t *testing.T) {
	for us, want := range map[int64]string{
		0: "0s", 7: "7.0µs", 94: "94µs", 996: "1.0ms", 1_500: "1.5ms", 15_449: "15ms", 154_400: "150ms", 6_019_230: "6.0s", 59_000_000: "59s", 95_400_000: "1m35s",
	} {
		if got := Latency(us); got != want {
			t.Errorf("%d µs: %s, want %s", us, got, want)
		}
	}
}
