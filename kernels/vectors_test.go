package kernels

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/uuid"
)

// vectors is what Python's hashlib, re, unicodedata and uuid make of the same input: see testdata/vectors.py.
type vectors struct {
	Values []struct {
		Key   string
		Value uint32
	}
	Load []struct {
		Stream    string
		Position  uint64
		Token     string
		Threshold float64
		Shed      bool
	}
	Prune []struct {
		Tokens    []string
		Threshold float64
		Marker    string
		Lookback  int
		Kept      []string
	}
	Normal []struct{ In, Folded, Exact string }
	Keys   []struct {
		Components []string
		Name       string
		ID         uuid.UUID
	}
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestGatesAgreeWithPython(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.Values {
		if got := Value([]byte(c.Key)); got != c.Value {
			t.Errorf("Value(%q) = %#08x, Python has %#08x", c.Key, got, c.Value)
		}
	}
	for _, c := range v.Load {
		if got := LoadSheds(c.Stream, c.Position, c.Token, c.Threshold); got != c.Shed {
			t.Errorf("LoadSheds(%q, %d, %q, %v) = %v, Python has %v", c.Stream, c.Position, c.Token, c.Threshold, got, c.Shed)
		}
	}
	for _, c := range v.Prune {
		contract := Contract{DecayThreshold: c.Threshold, RepairMarker: c.Marker, MaxLookback: c.Lookback}
		kept, removed, err := PruneTokens(c.Tokens, contract)
		if err != nil || !slices.Equal(kept, c.Kept) || removed != len(c.Tokens)-len(c.Kept) {
			t.Errorf("PruneTokens(%q, %+v) = %q, %d, %v, Python has %q", c.Tokens, contract, kept, removed, err, c.Kept)
		}
	}
}

func TestIdentityAgreesWithPython(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.Normal {
		if got := NormaliseString(c.In, false); got != c.Folded {
			t.Errorf("NormaliseString(%+q, false) = %+q, Python has %+q", c.In, got, c.Folded)
		}
		if got := NormaliseString(c.In, true); got != c.Exact {
			t.Errorf("NormaliseString(%+q, true) = %+q, Python has %+q", c.In, got, c.Exact)
		}
	}
	for _, c := range v.Keys {
		components := slices.Clone(c.Components)
		for i := range components {
			components[i] = NormaliseString(components[i], false)
		}
		if got := JoinStrings(components...); got != c.Name {
			t.Errorf("name of %+q = %+q, Python has %+q", c.Components, got, c.Name)
		}
		if got := UUID(Namespace, c.Name); got != c.ID {
			t.Errorf("UUID(%+q) = %v, Python has %v", c.Name, got, c.ID)
		}
	}
}
