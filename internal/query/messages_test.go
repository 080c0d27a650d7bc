package query

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A conversation is read as it went: what a request brings in its order, and the answer after it, though the exchange began before.
func TestMessagesAreReadAsTheyWereSaid(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	entities := []Entity{
		{EntityUUID: "1", Kind: kindMessage, Role: "user", Text: "May I?", StartedAt: at, FirstPart: 2},
		{EntityUUID: "2", Kind: kindMessage, Role: roleAssistant, Text: "Yes.", StartedAt: at.Add(-time.Millisecond), EndedAt: at.Add(time.Second)},
		{EntityUUID: "3", Kind: kindMessage, Role: "system", Text: "Be kind.", StartedAt: at, FirstPart: 1},
	}
	slices.SortFunc(entities, compareNewest)
	var said []string
	for _, e := range messages(entities) {
		said = append(said, e.Text)
	}
	if got := strings.Join(said, " "); got != "Be kind. May I? Yes." {
		t.Errorf("read as %q", got)
	}
}
