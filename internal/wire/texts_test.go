package wire_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"assay/internal/wire"
)

func TestTexts(t *testing.T) {
	for name, tt := range map[string]struct {
		format wire.Format
		body   string
		want   []string
	}{
		"lines":            {wire.NDJSON, "{}\r\n 1 \n\t\n\nx", []string{"{}", " 1 ", "x"}},
		"array":            {wire.NDJSON, `[ {"a":[1,"],[\""]} , 2,[]]` + "\n", []string{`{"a":[1,"],[\""]}`, "2", "[]"}},
		"empty array":      {wire.NDJSON, "[ ]\n", []string{"[ ]"}},
		"no array":         {wire.NDJSON, "[1,2\n[1,]\n[1]]\n", []string{"[1,2", "[1,]", "[1]]"}},
		"byte order mark":  {wire.NDJSON, "\ufeff{}\n\ufeff{}\n", []string{"{}", "\ufeff{}"}},
		"invalid UTF-8":    {wire.NDJSON, "[1,\"\xff\"]", []string{"1", "\"\xff\""}},
		"pretty document":  {wire.JSON, "{\n}\n", []string{"{\n}"}},
		"pretty array":     {wire.JSON, "[\n1,\n2\n]\n", []string{"1", "2"}},
		"nothing":          {wire.JSON, "", nil},
		"two documents":    {wire.JSON, "{}{}", []string{"{}{}"}},
		"as many as fit":   {wire.JSON, list(wire.EventsMax), slices.Repeat([]string{"0"}, wire.EventsMax)},
		"one element more": {wire.JSON, list(wire.EventsMax + 1), []string{list(wire.EventsMax + 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for text := range wire.Texts(tt.format, []byte(tt.body), true) {
				got = append(got, string(text))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %.200q, want %.200q", got, tt.want)
			}
		})
	}
}

// list is an array of n zeros.
func list(n int) string { return "[" + strings.Repeat("0,", n-1) + "0]" }

func TestFormatOf(t *testing.T) {
	for contentType, want := range map[string]wire.Format{
		"text/event-stream": wire.SSE, "text/event-stream; charset=utf-8": wire.SSE,
		"application/x-ndjson": wire.NDJSON, "application/jsonl": wire.NDJSON,
		"application/json": wire.JSON, "Application/JSON; charset=utf-8": wire.JSON,
		"application/cloudevents+json": wire.JSON, "application/cloudevents-batch+json": wire.JSON,
	} {
		if got, err := wire.FormatOf(contentType); err != nil || got != want {
			t.Errorf("%s: got %v, %v", contentType, got, err)
		}
	}
	for _, contentType := range []string{"", "text/plain", "image/svg+xml", "{}"} {
		if _, err := wire.FormatOf(contentType); !errors.Is(err, wire.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", contentType, err)
		}
	}
}
