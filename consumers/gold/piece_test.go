package gold

import (
	"slices"
	"testing"
)

// The pieces of events of one place have an order, in whatever order and commits they came.
func TestPiecesOfOnePlaceHaveAnOrder(t *testing.T) {
	var pieces []capture
	for _, text := range []string{"one ", "two ", "three "} {
		pieces = append(pieces, message(text, "end")[0])
	}
	texts := map[string]bool{}
	for _, together := range []bool{true, false} {
		g := open(t, testOptions(newMemory()))
		if together {
			deliver(t, g, 1, [][]capture{pieces})
		} else {
			deliver(t, g, 1, [][]capture{pieces[:1]}, [][]capture{pieces[1:2]}, [][]capture{pieces[2:]})
		}
		e, err := g.Entity(pieces[0].entity)
		if err != nil {
			t.Fatal(err)
		}
		texts[e.Text] = true
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(pieces)
	}
	if len(texts) != 1 {
		t.Errorf("it is any of %v", texts)
	}
}
