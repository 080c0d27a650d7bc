package mcp

import (
	"context"
	"errors"
	"strings"
	"testing"

	"assay/internal/query"
)

// A text that is to be remembered may be as long as the limit says; a longer one is refused and stored nowhere.
func TestWhatIsRememberedHasALimit(t *testing.T) {
	stored := 0
	m := &memory{Options: Options{Remember: func(_ context.Context, _, text string) error { stored = len(text); return nil }}}
	for _, n := range []int{maxRemembered + 1, maxRemembered} {
		out, err := m.remember(t.Context(), rememberInput{Text: strings.Repeat("x", n)})
		if fits := n <= maxRemembered; fits != out.Stored || fits == errors.Is(err, query.ErrRequest) || fits != (stored == n) {
			t.Errorf("%d bytes: stored %d, %+v, error %v", n, stored, out, err)
		}
	}
}
