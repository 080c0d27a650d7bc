package model

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestChunksLoseNoWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`\pL{1,300}`), 0, 60).Draw(t, "words")
		text := strings.Join(words, rapid.SampledFrom([]string{" ", "\n", "\n\n "}).Draw(t, "separator"))
		pieces := chunks(text)
		for _, p := range pieces {
			if n := utf8.RuneCountInString(p); n == 0 || n > EpisodeRunes {
				t.Fatalf("a chunk of %d characters", n)
			}
		}
		if got, want := strings.Fields(strings.Join(pieces, " ")), strings.Fields(text); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%d words, want %d", len(got), len(want))
		}
	})
}
