// Package budget shares out the memory that the program may take. Whoever holds much of it, or holds it for long, has a share
// here; what the parts do with theirs stands next to them, and docs/memory.md has what all of them together came to.
package budget

import (
	"math"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// What the program is granted in all, its own pages and those of its file that it works with, at both ends of the scale.
const (
	// Tight is the least that suffices under load: every share is at its least.
	Tight = 256 << 20
	// Ample is from where on more memory is needed by nothing but bursts and recall.
	Ample = 512 << 20
	// Roomy is from where on more memory would make nothing faster but recall.
	Roomy = 2 << 30
)

// What is kept of indexes grows beyond that, as a share of what is granted: a search reads much of the index of vectors, which
// takes some 200 MiB for a million of them, and a cache that holds less of it than each search reads is of no use.
const (
	indexesShare = 16
	indexesMost  = 1 << 30
)

// Shares are the parts' limits, in bytes where nothing else is said.
type Shares struct {
	Heap         int64 // Go's heap, above which its collector works harder; it holds most of what follows up to Hold
	Collect      int   // percent by which the heap grows above what is alive until it is collected
	Ingest       int64 // frames of all requests on their way to the log
	Queue        int64 // of them, what waits for the log or is being written
	Refine       int   // what a worker of Silver fetches, and publishes, at a time
	Fold         int   // what Gold fetches, and commits, at a time; it takes several times that while it does
	Hold         int   // rows that Gold holds until they make up a write; twice that at most
	State        int64 // cache of the state store
	Indexes      int64 // pages of the tables' indexes that questions have needed
	Footers      int64 // footers of the tables' files
	TailRows     int64 // episodes that are indexed in memory until the tables' indexes have them, of 1.5 to 2 KiB each
	FragmentRows int64 // rows of a fragment of a table, all of whose columns upkeep holds at a time
}

// For returns the shares of a program that may take so many bytes; 0 stands for what its control group grants it, or all
// that the machine has if that is less.
func For(granted int64) Shares {
	if granted == 0 {
		granted = min(limit(memlimit.FromCgroup()), limit(memlimit.FromSystem()))
	}
	return of(granted)
}

// limit is a number of bytes as it was found out; err tells that there is none.
func limit(bytes uint64, err error) int64 {
	if err != nil {
		return math.MaxInt64
	}
	return int64(min(bytes, math.MaxInt64))
}

// of lets every share grow evenly from its least at Tight to what suffices at Ample; those that bursts need grow on until
// Roomy, and that of the indexes beyond.
func of(granted int64) Shares {
	part := float64(min(max(granted, Tight), Ample)-Tight) / (Ample - Tight)
	between := func(least, most int64) int64 { return least + int64(part*float64(most-least)) }
	extra := float64(min(max(granted, Ample), Roomy)-Ample) / (Roomy - Ample)
	beyond := func(most, roomy int64) int64 { return int64(extra * float64(roomy-most)) }
	return Shares{
		Heap:         between(96<<20, 160<<20) + beyond(160<<20, 288<<20),
		Collect:      int(30 + beyond(30, 100)),
		Ingest:       between(4<<20, 16<<20),
		Queue:        between(4<<20, 8<<20),
		Refine:       int(between(2<<20, 4<<20)),
		Fold:         int(between(4<<20, 8<<20)),
		Hold:         int(between(2<<20, 8<<20) + beyond(8<<20, 32<<20)),
		State:        between(16<<20, 64<<20) + beyond(64<<20, 128<<20),
		Indexes:      max(between(16<<20, 128<<20), min(granted/indexesShare, indexesMost)),
		Footers:      between(8<<20, 32<<20),
		TailRows:     between(12<<10, 48<<10) + beyond(48<<10, 64<<10),
		FragmentRows: between(32<<10, 128<<10),
	}
}
