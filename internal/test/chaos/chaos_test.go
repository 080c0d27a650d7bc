package chaos

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"assay/internal/failpoint"
)

var (
	long     = flag.Duration("torture.duration", 0, "how long TestLong runs; 0 skips it unless -torture.runs is given")
	runs     = flag.Int("torture.runs", 0, "how many runs TestLong makes; 0: as many as fit the duration")
	seedFlag = flag.Uint64("torture.seed", 0, "seed; 0 draws one")
	chosen   = flag.String("torture.faults", "", "names of faults, separated by commas; empty: all")
	binary   = flag.String("torture.binary", "", "program with fault points, built before; empty: build it")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness builds the program once.
func harness(t *testing.T, dir string) *Harness {
	t.Helper()
	h := &Harness{Binary: *binary, Root: root(), Dir: dir, Bodies: 120, Strikes: 4, Damages: 4}
	if h.Binary == "" {
		var err error
		if h.Binary, err = Build(t.Context(), h.Root, dir); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// root is the module's: a test runs in its own directory.
func root() string { return filepath.Join("..", "..", "..") }

// Each of these faults once, on one input.
func TestShort(t *testing.T) {
	if testing.Short() || *long > 0 || *runs > 0 {
		t.Skip("the long form was asked for")
	}
	h, s := harness(t, t.TempDir()), cmp.Or(*seedFlag, shortSeed)
	h.Damages = 2
	t.Logf("seed %d", s)
	for _, name := range short {
		t.Run(name, func(t *testing.T) {
			check(t, h, name, s)
		})
	}
}

// The program is killed at each of its steps once while its tables are in a bucket.
func TestEachPointWithABucket(t *testing.T) {
	if testing.Short() || *long > 0 || *runs > 0 {
		t.Skip("the long form was asked for")
	}
	h := harness(t, t.TempDir())
	h.Strikes, h.Bodies = len(failpoint.Points), 600
	check(t, h, "bucket-point", cmp.Or(*seedFlag, shortSeed))
}

// short are the faults of the short form, which is the same every time unless a seed is given: the long one draws others.
var short = []string{"kill", "point", "stop", "power", "twice", "poison", "slow", "registry", "rot-log", "rot-index", "rot-state", "bucket"}

const shortSeed = 1

func check(t *testing.T, h *Harness, name string, s uint64) *Result {
	t.Helper()
	h.T = t
	result, err := h.Run(t.Context(), name, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(result)
	switch {
	case result.Skipped != "":
		t.Skip(result.Skipped)
	case len(result.Findings) > 0:
		t.Fail()
	}
	return result
}

// Faults in turn, each time with another seed, until the time is over. It prints a table.
func TestLong(t *testing.T) {
	if *long == 0 && *runs == 0 {
		t.Skip("run it by: make torture DURATION=1h")
	}
	names := Faults()
	if *chosen != "" {
		names = strings.Split(*chosen, ",")
	}
	for _, name := range names {
		if faults[name] == nil {
			t.Fatalf("there is no fault %q; choose from %v", name, Faults())
		}
	}
	dir, err := os.MkdirTemp("", "torture-")
	if err != nil {
		t.Fatal(err)
	}
	h, s := harness(t, dir), cmp.Or(*seedFlag, uint64(rand.Uint32()))
	h.T = t
	fmt.Printf("seed %d, faults %s, in %s\n", s, strings.Join(names, ","), dir)
	var results []*Result
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for begun, i := time.Now(), 0; (*long == 0 || time.Since(begun) < *long) && (*runs == 0 || i < *runs*len(names)); i++ {
		result, err := h.Run(ctx, names[i%len(names)], s+uint64(i/len(names)))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(result)
		results = append(results, result)
	}
	fmt.Printf("\n%s", Table(results))
	if slices.ContainsFunc(results, func(r *Result) bool { return len(r.Findings) > 0 }) {
		t.Fail()
		return
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}
