package query

import (
	"errors"
	"strings"
	"testing"
)

// A question at its limits is taken; one beyond any of them is refused before anything is read, and its error says how much is allowed.
func TestQuestionsHaveLimits(t *testing.T) {
	at := RecallRequest{Query: strings.Repeat("q", maxQueryByte), Limit: maxHits, Context: maxContext}
	if err := at.check(); err != nil {
		t.Errorf("a question at the limits: %v", err)
	}
	nothing := &Local{} // that can be read
	for name, ask := range map[string]func() error{
		"a longer query":  func() error { return (&RecallRequest{Query: at.Query + "q"}).check() },
		"more hits":       func() error { return (&RecallRequest{Query: "q", Limit: maxHits + 1}).check() },
		"more neighbours": func() error { return (&RecallRequest{Query: "q", Context: maxContext + 1}).check() },
		"a further offset": func() error {
			_, err := nothing.Rehydrate(t.Context(), "w", RehydrateOptions{Offset: maxOffset + 1})
			return err
		},
		"more words": func() error {
			_, err := nothing.Workflows(t.Context(), WorkflowsRequest{Words: strings.Repeat("word ", maxWords+1)})
			return err
		},
		"a larger briefing": func() error { _, err := Brief(t.Context(), nothing, "w", maxBudget+1); return err },
	} {
		if err := ask(); !errors.Is(err, ErrRequest) {
			t.Errorf("%s: error %v, want %v", name, err, ErrRequest)
		}
	}
}
