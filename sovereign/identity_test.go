package sovereign

import (
	"errors"
	"testing"

	"assay/sovereign/schema"
)

// A store tells who it is and whose, whoever opens it, and that is written once.
func TestIdentity(t *testing.T) {
	dir := t.TempDir()
	id := schema.Identity{Store: "a-1", Log: "b-2"}
	for _, want := range []schema.Identity{{}, id} {
		s, err := Open(t.Context(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Identity(t.Context()); got != want || err != nil {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
		err = s.Identify(t.Context(), id)
		if first := want.Store == ""; first != (err == nil) || !first && !errors.Is(err, ErrFenced) {
			t.Errorf("identified: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
