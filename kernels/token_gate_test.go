package kernels

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"pgregory.net/rapid"
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
		lists := array.NewListBuilder(memory.DefaultAllocator, arrow.BinaryTypes.String).NewListArray()
		if _, _, err := TokenGate(memory.DefaultAllocator, lists, Contract{RepairMarker: marker}); !errors.Is(err, ErrPattern) {
			t.Errorf("marker %.40q, column: %v", marker, err)
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

func TestTokenGateIsPruneTokensPerRow(t *testing.T) {
	markers := []string{"", "^$", "u[hm]", `^\w+$`, "a|Z", " ", "[^a]"}
	checked(t, func(t *rapid.T, mem memory.Allocator) {
		contract := Contract{
			DecayThreshold: rapid.Float64Range(0, 1.1).Draw(t, "threshold"),
			RepairMarker:   rapid.SampledFrom(markers).Draw(t, "marker"),
			MaxLookback:    rapid.IntRange(-1, 9).Draw(t, "lookback"),
		}
		rows := drawRows(t) % 40
		buffers := make([][]*string, rows)
		for row := range buffers {
			if rapid.IntRange(0, 4).Draw(t, "null") > 0 {
				buffers[row] = drawTexts(t, rapid.IntRange(0, 9).Draw(t, "tokens"), "buffer")
			}
		}
		lists := sliced(t, array.NewListBuilder(mem, arrow.BinaryTypes.String), rows, func(b *array.ListBuilder, row int) {
			b.Append(buffers[row] != nil)
			for _, token := range buffers[row] {
				appendText(b.ValueBuilder().(*array.StringBuilder), token)
			}
		}).(*array.List)
		defer lists.Release()

		pruned, removed, err := TokenGate(mem, lists, contract)
		if err != nil {
			t.Fatal(err)
		}
		defer release(pruned, removed)
		for row, buffer := range buffers {
			want, lost := pruneWithNulls(t, buffer, contract)
			if pruned.IsNull(row) != (buffer == nil) || removed.Value(row) != int32(lost) {
				t.Fatalf("row %d: null %v, removed %d, want %v and %d", row, pruned.IsNull(row), removed.Value(row), buffer == nil, lost)
			}
			start, end := pruned.ValueOffsets(row)
			kept := array.NewSlice(pruned.ListValues(), start, end).(*array.String)
			requireTexts(t, kept, want)
			kept.Release()
		}
	})
}

// pruneWithNulls puts a token that nothing here matches but "[^a]" and `^\w+$` in the place of nulls, and checks apart
// that nulls are kept.
func pruneWithNulls(t *rapid.T, buffer []*string, c Contract) (kept []*string, removed int) {
	for i, token := range buffer {
		if token == nil {
			kept = append(kept, nil)
			continue
		}
		gate, err := newTokenGate(c)
		if err != nil {
			t.Fatal(err)
		}
		if gate.removes(*token, i, len(buffer)) {
			removed++
		} else {
			kept = append(kept, token)
		}
	}
	if !slices.Contains(buffer, nil) {
		tokens := make([]string, len(buffer))
		for i := range buffer {
			tokens[i] = *buffer[i]
		}
		if _, scalar, err := PruneTokens(tokens, c); err != nil || scalar != removed {
			t.Fatalf("PruneTokens removed %d, %v; want %d", scalar, err, removed)
		}
	}
	return kept, removed
}

func TestTokenGateTakesLists(t *testing.T) {
	lists := array.NewListBuilder(memory.DefaultAllocator, arrow.PrimitiveTypes.Int64).NewListArray()
	if _, _, err := TokenGate(memory.DefaultAllocator, lists, Contract{}); !errors.Is(err, ErrType) {
		t.Errorf("a list of numbers: %v", err)
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
