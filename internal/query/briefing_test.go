package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// long is a WorkflowView of one workflow with many long turns.
type long struct {
	WorkflowView
	turns []Turn
}

func newLong() *long {
	l := &long{}
	add := func(t Turn) {
		t.StartedAt = time.Unix(int64(len(l.turns)), 0)
		l.turns = append(l.turns, t)
	}
	add(Turn{Entity: Entity{Kind: "message", Text: "You are a helper.", Status: "ok"}, Speaker: SpeakerSystem})
	add(Turn{Entity: Entity{Kind: "message", Text: "Bygg bron över ån. " + strings.Repeat("Så fort det går. ", 100), Status: "ok"}, Speaker: SpeakerUser})
	add(Turn{Entity: Entity{Kind: "epistemic_promotion", Text: "wood, not steel", Status: "ok"}, Speaker: "epistemic_promotion"})
	for i := range 200 {
		add(Turn{Entity: Entity{Kind: "call", Capability: "saw", Status: "ok"}, Speaker: SpeakerCall, Arguments: fmt.Sprint(i), Answer: strings.Repeat("塵", 300)})
		if i%50 == 7 {
			add(Turn{Entity: Entity{Kind: "call", Capability: "drill", Status: "error", Error: fmt.Sprint("broken bit ", i)}, Speaker: SpeakerCall})
		}
	}
	add(Turn{Entity: Entity{Kind: "call", Capability: "lift", Status: "open"}, Speaker: SpeakerCall, Arguments: "beam"})
	add(Turn{Entity: Entity{Kind: "message", Capability: "gpt-x", Text: "The beam is next.", Status: "ok"}, Speaker: SpeakerAssistant})
	return l
}

func (l *long) Conversation(_ context.Context, _ string, r ConversationRequest) (*Conversation, error) {
	turns := slices.Clone(l.turns)
	if r.Backward {
		slices.Reverse(turns)
	}
	from, _ := strconv.Atoi(r.Cursor)
	c := &Conversation{Turns: turns[from:min(from+r.Limit, len(turns))], Summary: &WorkflowSummary{Title: "A bridge"}}
	if from+r.Limit < len(turns) {
		c.Next = strconv.Itoa(from + r.Limit)
	}
	return c, nil
}

func TestABriefingFitsItsBudgetAndLeavesNothingOutThatMatters(t *testing.T) {
	last := 0
	for _, budget := range []int{200, 300, 1_000, 4_000, 40_000} {
		b, err := Brief(t.Context(), newLong(), "bridge", budget)
		if err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if Tokens(text) > budget || !utf8.ValidString(text) {
			t.Errorf("budget %d: %d tokens, valid %t", budget, Tokens(text), utf8.ValidString(text))
		}
		if Tokens(text) < last {
			t.Errorf("budget %d has less than a smaller one", budget)
		}
		last = Tokens(text)
		for _, wanted := range []string{"Bygg bron", "wood, not steel", "lift", "broken bit 157", "The beam is next."} {
			if !strings.Contains(text, wanted) && budget >= 1_000 {
				t.Errorf("budget %d: no %q in\n%s", budget, wanted, text)
			}
		}
		again, err := Brief(t.Context(), newLong(), "bridge", budget)
		if err != nil || again.String() != text {
			t.Errorf("budget %d: another time it is another one, error %v", budget, err)
		}
	}
	if _, err := Brief(t.Context(), newLong(), "bridge", 1); !errors.Is(err, ErrRequest) {
		t.Errorf("a budget of one token: %v", err)
	}
}
