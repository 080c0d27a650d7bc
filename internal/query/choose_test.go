package query

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func chosen(c choice, hits ...Hit) []Hit {
	for i := range hits {
		c.consider(&hits[i])
	}
	return c.hits
}

func TestRepetitionsAreOneHit(t *testing.T) {
	log := "the linker ran out of memory:"
	for i := range 60 {
		log += fmt.Sprint(" symbol", i)
	}
	log += " was written "
	got := chosen(choice{limit: 10},
		Hit{Text: log + "after 12.3 s"}, Hit{Text: "another text"}, Hit{Text: log + "after 14.9 s"}, Hit{Text: "Another  TEXT"},
		Hit{Text: "port 8080 is taken"}, Hit{Text: "port 9090 is taken"}, Hit{Text: ""}, Hit{Text: " "})
	want := []struct {
		begins  string
		repeats int
	}{{"the linker", 1}, {"another text", 1}, {"port 8080", 0}, {"port 9090", 0}, {"", 1}}
	if len(got) != len(want) {
		t.Fatalf("%d hits, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		if !strings.HasPrefix(got[i].Text, w.begins) || got[i].Repeats != w.repeats {
			t.Errorf("hit %d: %q with %d repetitions, want %q with %d", i, got[i].Text, got[i].Repeats, w.begins, w.repeats)
		}
	}
}

func TestWhatHasNothingInCommonIsNoHit(t *testing.T) {
	got := chosen(choice{limit: 10, floor: 0.15},
		Hit{Text: "near", Similarity: 0.4}, Hit{Text: "far", Similarity: 0.1}, Hit{Text: "far, with a word", Similarity: 0.1, TextRank: 3})
	if len(got) != 2 || got[0].Text != "near" || got[1].Text != "far, with a word" {
		t.Errorf("%+v", got)
	}
}

func TestTheBudgetEndsTheAnswer(t *testing.T) {
	texts := func(hits []Hit) (n int) {
		for _, h := range hits {
			n += len(h.Text)
		}
		return n
	}
	a, b, c := strings.Repeat("ä", 400), strings.Repeat("b", 400), strings.Repeat("c", 400)
	got := chosen(choice{limit: 10, tokens: 280}, Hit{Text: a}, Hit{Text: b}, Hit{Text: c})
	if len(got) != 2 || !got[1].Cut || got[0].Cut || texts(got) > 280*tokenBytes {
		t.Errorf("%d hits with %d bytes: %+v", len(got), texts(got), got)
	}
	first := chosen(choice{limit: 10, tokens: 10}, Hit{Text: a}, Hit{Text: b})
	if len(first) != 1 || !first[0].Cut || !utf8.ValidString(first[0].Text) || texts(first) > 40 {
		t.Errorf("%+v", first)
	}
	if exact := chosen(choice{limit: 10, tokens: 100}, Hit{Text: b}, Hit{Text: c}); len(exact) != 1 || exact[0].Cut {
		t.Errorf("%+v", exact)
	}
	if got := chosen(choice{limit: 1}, Hit{Text: a}, Hit{Text: b}, Hit{Text: b}); len(got) != 1 {
		t.Errorf("%d hits of 1", len(got))
	}
}
