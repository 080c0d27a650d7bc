package kernels

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestPruneTokens(t *testing.T) {
	for _, c := range []struct {
		name     string
		contract Contract
		tokens   string
		want     string
	}{
		{"below the threshold goes", Contract{0.5, "^(uh|um|er)$", 10}, "uh um er", "uh um"},
		{"threshold above all", Contract{1.1, "^(uh|um|er)$", 10}, "uh um er x", "x"},
		{"threshold 0", Contract{0, "", 10}, "uh um er", "uh um er"},
		{"search, not full match", Contract{1.1, "m", 10}, "umm me x", "x"},
		{"only the last", Contract{1.1, "^uh$", 2}, "uh uh x uh", "uh uh x"},
		{"index in the whole buffer", Contract{0.01, "er", 1}, "uh um er", "uh um"}, // 2:er, not 0:er
		{"nothing looked back at", Contract{1.1, "uh", 0}, "uh uh", "uh uh"},
		{"less than nothing", Contract{1.1, "uh", -1}, "uh uh", "uh uh"},
		{"further than there is", Contract{1.1, "uh", 1 << 62}, "uh uh", ""},
	} {
		tokens := strings.Fields(c.tokens)
		kept, removed, err := PruneTokens(tokens, c.contract)
		if want := strings.Fields(c.want); err != nil || !slices.Equal(kept, want) || removed != len(tokens)-len(want) {
			t.Errorf("%s: kept %q, removed %d, %v; want %q", c.name, kept, removed, err, want)
		}
		if !slices.Equal(tokens, strings.Fields(c.tokens)) {
			t.Errorf("%s: the input changed to %q", c.name, tokens)
		}
	}
}

func TestInvalidMarkerLeavesTheBuffer(t *testing.T) {
	for _, marker := range []string{
		"(", "[a-", "a**", `\`, "(?=x)", "(?<!x)y", `(a)\1`, "(?P=x)", "a++b", "a{1001}", "(?(1)a|b)", `\q`,
		strings.Repeat("(a{100}b{100}){9}", 9), strings.Repeat("a", patternBytesMax+1),
	} {
		tokens := []string{"uh", "um"}
		for range 2 { // the second time from the cache
			kept, removed, err := PruneTokens(tokens, Contract{1.1, marker, 10})
			if !errors.Is(err, ErrPattern) || removed != 0 || !slices.Equal(kept, tokens) {
				t.Errorf("marker %.40q: kept %q, removed %d, %v", marker, kept, removed, err)
			}
		}
	}
}

func TestPatternCacheIsBoundedAndShared(t *testing.T) {
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range patternsCachedMax {
				token := fmt.Sprintf("token-%d-%d", worker, i)
				_, removed, err := PruneTokens([]string{token}, Contract{1.1, "^" + token + "$", 1})
				if err != nil || removed != 1 {
					t.Errorf("%s: removed %d, %v", token, removed, err)
				}
			}
		})
	}
	group.Wait()
	if n := len(patterns.compiled); n > patternsCachedMax {
		t.Errorf("%d patterns cached, limit %d", n, patternsCachedMax)
	}
}

func FuzzPruneTokens(f *testing.F) {
	f.Add(`^(uh|um)\s*$`, "uh um", 0.5, 2)
	f.Add(`[]\w$-]\d`, "x", 1.5, -2)
	f.Fuzz(func(t *testing.T, marker, text string, threshold float64, lookback int) {
		tokens := strings.Split(text, " ")
		kept, removed, err := PruneTokens(tokens, Contract{threshold, marker, lookback})
		if len(kept)+removed != len(tokens) {
			t.Errorf("%d tokens became %d kept and %d removed", len(tokens), len(kept), removed)
		}
		if err != nil && (!errors.Is(err, ErrPattern) || removed != 0) {
			t.Errorf("removed %d, %v", removed, err)
		}
	})
}
