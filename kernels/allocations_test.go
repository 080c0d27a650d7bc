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
		return map[string]float64{
			"UUIDv5":           testing.AllocsPerRun(5, func() { release(must(UUIDv5(mem, Namespace, ascii))) }),
			"Identify ASCII":   testing.AllocsPerRun(5, func() { release(must(Identify(mem, Namespace, false, ascii, keys))) }),
			"Identify Unicode": testing.AllocsPerRun(5, func() { release(must(Identify(mem, Namespace, false, unicode, keys))) }),
		}
	}
	few, many := measure(1000), measure(50_000)
	for kernel, n := range few {
		if many[kernel] > n+2 { // the allocator may clear or round large buffers otherwise
			t.Errorf("%s: %v allocations for 1000 rows, %v for 50,000", kernel, n, many[kernel])
		}
	}
}
