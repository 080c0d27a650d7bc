//go:build !race

// The race detector empties pools at random and keeps the compiler from sparing allocations.

package kernels

import (
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"
)

// The allocations of a kernel are those of its columns, however many rows these have.
func TestAllocationsDoNotGrowWithRows(t *testing.T) {
	mem := memory.DefaultAllocator
	measure := func(rows int) map[string]float64 {
		ascii, unicode, keys := repeat("  Intent-42 ", rows), repeat(" ÉCOLE-ΟΔΟΣ ", rows), repeat(`a|B\é`, rows)
		lists, position, threshold, sheddable := gateColumns(rows)
		return map[string]float64{
			"Normalise ASCII":   testing.AllocsPerRun(5, func() { release(must(Normalise(mem, ascii, false))) }),
			"Normalise Unicode": testing.AllocsPerRun(5, func() { release(must(Normalise(mem, unicode, false))) }),
			"Join":              testing.AllocsPerRun(5, func() { release(must(Join(mem, ascii, keys))) }),
			"UUIDv5":            testing.AllocsPerRun(5, func() { release(must(UUIDv5(mem, Namespace, ascii))) }),
			"Identify":          testing.AllocsPerRun(5, func() { release(must(Identify(mem, Namespace, false, unicode, keys))) }),
			"LoadGate": testing.AllocsPerRun(5, func() {
				release(must(LoadGate(mem, ascii, position, keys, threshold, sheddable)))
			}),
			"TokenGate": testing.AllocsPerRun(5, func() {
				pruned, removed, err := TokenGate(mem, lists, Contract{DecayThreshold: 0.5, RepairMarker: "u[hm]", MaxLookback: 9})
				release(must(pruned, err), removed)
			}),
		}
	}
	few, many := measure(1000), measure(50_000)
	for kernel, n := range few {
		if many[kernel] > n+2 { // the allocator may clear or round large buffers otherwise
			t.Errorf("%s: %v allocations for 1000 rows, %v for 50,000", kernel, n, many[kernel])
		}
	}
}
