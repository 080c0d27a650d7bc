package main

import (
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// How the garbage collector is set, unless GOGC and GOMEMLIMIT say otherwise. See docs/memory.md.
const (
	// collectPercent makes it run often, at a third above what is alive rather than at twice that: most of the heap are
	// the few large buffers of batches on their way, which cost it nothing to look at.
	collectPercent = 30
	// heapMost is the limit above which it works harder, for bursts.
	heapMost = 160 << 20
	// heapLeast is the lowest such limit: below what is alive under load it would do nothing but collect.
	heapLeast = 64 << 20
	// besidesHeap is what the program needs outside Go's heap: LanceDB, its upkeep and the code that is in use.
	besidesHeap = 184 << 20
)

func setCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapLimit(memlimit.FromCgroup()))
	}
}

// heapLimit is the collector's limit in bytes, where the system grants the program, or the container that it runs in, so much
// memory in all; err tells that this is not known or not limited.
func heapLimit(granted uint64, err error) int64 {
	if err != nil || granted > besidesHeap+heapMost {
		return heapMost
	}
	return max(heapLeast, int64(granted)-besidesHeap)
}
