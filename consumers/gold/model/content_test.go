package model

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"assay/consumers/bronze"
)

func TestABodyIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.String().Draw(t, "line")
		text := strings.Repeat(line, rapid.IntRange(0, 200).Draw(t, "times"))
		want := NewBody(&Event{Kind: bronze.KindToolCall, Payload: `{"text":"` + text + `"}`, Text: text})
		record := want.Encode()
		if got, err := decodeBody(record); err != nil || got != *want {
			t.Fatalf("read %d bytes of text, %v; want %d", len(got.Text), err, len(want.Text))
		}
		for _, damaged := range [][]byte{record[:len(record)-1], append(slices.Clone(record), 0)} {
			if _, err := decodeBody(damaged); !errors.Is(err, ErrState) {
				t.Fatalf("a damaged record: %v", err)
			}
		}
	})
}

// What is short is not compressed, and a reader does not care how long it is.
func TestABodyThatIsNotCompressedIsRead(t *testing.T) {
	text := strings.Repeat("plain ", 1000)
	var plain Encoder
	for _, s := range []string{bronze.KindToolCall, "{}", text} {
		plain.string(s)
	}
	if got, err := decodeBody(plain); err != nil || got != (Body{bronze.KindToolCall, "{}", text}) {
		t.Errorf("read %d bytes of text, %v", len(got.Text), err)
	}
}

func TestABodySaysNoMoreThanOneMayHold(t *testing.T) {
	long := strings.Repeat("long", MaxText)
	largest := NewBody(&Event{Kind: bronze.KindToolCall, Payload: long, Text: long})
	if _, err := decodeBody(largest.Encode()); err != nil {
		t.Error(err)
	}
	if _, err := decodeBody((&Body{Payload: long}).Encode()); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a body of %d bytes: %v", len(long), err)
	}
}
