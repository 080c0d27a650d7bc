package query

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// named is Histories of workflows that have names and nothing else.
type named []string

func (n named) Names(_ context.Context, use func(string) bool) error {
	for _, name := range n {
		if !use(name) {
			return nil
		}
	}
	return nil
}

func (n named) Summary(context.Context, string) (*WorkflowSummary, error) { return nil, nil }

func (n named) Workflows(context.Context, string, time.Time, int, func(*WorkflowSummary) bool) ([]WorkflowSummary, string, error) {
	return nil, "", nil
}

func (n named) Conversation(context.Context, string, ConversationRequest, int) ([]Entity, string, error) {
	return nil, "", nil
}

func TestAnUnknownWorkflowNamesTheNearest(t *testing.T) {
	l := &Local{Histories: named{"conv-1", "conv-2", "billing", "sample-session", "sse/000"}}
	for asked, meant := range map[string]string{
		"CONV-1": "conv-1, conv-2", "conv": "conv-1, conv-2", "sample_session": "sample-session", "bilings": "billing", "quite another": "", "": "",
	} {
		_, err := l.Conversation(t.Context(), asked, ConversationRequest{})
		_, said, _ := strings.Cut(err.Error(), "did you mean ")
		if !errors.Is(err, ErrNotFound) || strings.TrimSuffix(said, "?") != meant {
			t.Errorf("%q: %v", asked, err)
		}
	}
}

func TestTimesMayBeHowLongAgo(t *testing.T) {
	now := time.Date(2026, 5, 10, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                     {},
		"90m":                  now.Add(-90 * time.Minute),
		"7d":                   now.AddDate(0, 0, -7),
		"2026-01-31T12:00:00Z": time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
		"2026-01-31":           time.Date(2026, 1, 31, 0, 0, 0, 0, time.Local),
	} {
		if got, err := ParseTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"yesterday", "-1h", "3600", "12:00"} {
		if got, err := ParseTime(text, now); err == nil {
			t.Errorf("%q was taken for %s", text, got)
		}
	}
}
