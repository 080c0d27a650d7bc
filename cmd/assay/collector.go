package main

import (
	"os"
	"runtime/debug"

	"assay/internal/budget"
)

// setCollector has the garbage collector keep the heap below a limit, unless GOGC and GOMEMLIMIT set it otherwise. With
// little memory it runs often, at a third above what is alive rather than at twice that. See docs/memory.md.
func setCollector(shares budget.Shares) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(shares.Collect)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(shares.Heap)
	}
}
