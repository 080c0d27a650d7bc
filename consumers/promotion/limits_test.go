package promotion

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// A registry may answer without end: no more is read of it than the limit, and what is kept of why it fails is short.
func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for chunk := []byte(strings.Repeat("é", 16<<10)); ; {
			if _, err := w.Write(chunk); err != nil {
				return // whoever asked has hung up
			}
		}
	}))
	t.Cleanup(server.Close)
	registry, err := Open(KindCoReason, Endpoint{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(registry.Close)
	p, err := Parse(eventID(1), "wf", event(1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = registry.Publish(context.Background(), &p)
	var failure *Failure
	if !errors.As(err, &failure) {
		t.Fatalf("error %v is no failure", err)
	}
	if n := len(failure.Reason); n > reasonBytesMax || !utf8.ValidString(failure.Reason) {
		t.Errorf("the reason has %d bytes, the limit is %d", n, reasonBytesMax)
	}
}

// A file that is too large for a token is not sent to anybody, whole or in part.
func TestATokenFileHasALimit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	for n, fits := range map[int]bool{tokenBytesMax: true, tokenBytesMax + 1: false} {
		if err := os.WriteFile(file, []byte(strings.Repeat("x", n)), 0o600); err != nil {
			t.Fatal(err)
		}
		token, err := Endpoint{TokenFile: file}.token()
		if fits != (err == nil && len(token) == n) || !fits && token != "" {
			t.Errorf("a file of %d bytes gives a token of %d, error %v", n, len(token), err)
		}
	}
}
