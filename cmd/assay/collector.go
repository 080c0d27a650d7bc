package main

import (
	"os"
	"runtime/debug"
)

// collectPercent makes the garbage collector run often, at a third above what is alive rather than at twice that: most of the
// heap are the few large buffers of batches on their way, which cost it nothing to look at. See docs/memory.md.
const collectPercent = 30

// setCollector has the garbage collector keep the heap below a limit, unless GOGC and GOMEMLIMIT set it otherwise.
func setCollector(heap int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heap)
	}
}
