package framing_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"assay/internal/capture/framing"
)

func TestTexts(t *testing.T) {
	for name, tt := range map[string]struct {
		format framing.Format
		body   string
		want   []string
	}{
		"lines":            {framing.NDJSON, "{}\r\n 1 \n\t\n\nx", []string{"{}", " 1 ", "x"}},
		"array":            {framing.NDJSON, `[ {"a":[1,"],[\""]} , 2,[]]` + "\n", []string{`{"a":[1,"],[\""]}`, "2", "[]"}},
		"empty array":      {framing.NDJSON, "[ ]\n", []string{"[ ]"}},
		"no array":         {framing.NDJSON, "[1,2\n[1,]\n[1]]\n", []string{"[1,2", "[1,]", "[1]]"}},
		"byte order mark":  {framing.NDJSON, "\ufeff{}\n\ufeff{}\n", []string{"{}", "\ufeff{}"}},
		"invalid UTF-8":    {framing.NDJSON, "[1,\"\xff\"]", []string{"1", "\"\xff\""}},
		"pretty document":  {framing.JSON, "{\n}\n", []string{"{\n}"}},
		"pretty array":     {framing.JSON, "[\n1,\n2\n]\n", []string{"1", "2"}},
		"pretty documents": {framing.JSON, "{\n \"a\": {\n }\n}\n{\n}\r\n{\n}\n", []string{"{\n \"a\": {\n }\n}", "{\n}", "{\n}"}},
		"tuple":            {framing.NDJSON, "[\"a\",{}]\n[[\"x\"], \"a\", [1]]\n[\"a\",1]", []string{"[\"a\",{}]", "[[\"x\"], \"a\", [1]]", "\"a\"", "1"}},
		"nothing":          {framing.JSON, "", nil},
		"two documents":    {framing.JSON, "{}{}", []string{"{}{}"}},
		"as many as fit":   {framing.JSON, list(framing.EventsMax), slices.Repeat([]string{"0"}, framing.EventsMax)},
		"one element more": {framing.JSON, list(framing.EventsMax + 1), []string{list(framing.EventsMax + 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for text := range framing.Texts(tt.format, []byte(tt.body), true) {
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
	for contentType, want := range map[string]framing.Format{
		"text/event-stream": framing.SSE, "text/event-stream; charset=utf-8": framing.SSE,
		"application/x-ndjson": framing.NDJSON, "application/jsonl": framing.NDJSON,
		"application/json": framing.JSON, "Application/JSON; charset=utf-8": framing.JSON,
		"application/cloudevents+json": framing.JSON, "application/cloudevents-batch+json": framing.JSON,
	} {
		if got, err := framing.FormatOf(contentType); err != nil || got != want {
			t.Errorf("%s: got %v, %v", contentType, got, err)
		}
	}
	for _, contentType := range []string{"", "text/plain", "image/svg+xml", "{}"} {
		if _, err := framing.FormatOf(contentType); !errors.Is(err, framing.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", contentType, err)
		}
	}
}
