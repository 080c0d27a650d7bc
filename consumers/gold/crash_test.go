package gold

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"assay/consumers/gold/state"
	"assay/sovereign/schema"
	"assay/streams"
)

var errCrash = errors.New("crash")

// process is a Gold that a test kills, and what outlives it: the disk as far as it was synced, the tables, and the
// messages that were not acknowledged.
type process struct {
	*Gold
	disk  *vfs.MemFS
	store *memoryStore

	mu    sync.Mutex
	fault func(FaultPoint) error
	down  bool // it has crashed, and gets no further

	forgotten streams.Forgotten
}

func newProcess(t tester) *process {
	p := &process{disk: vfs.NewCrashableMem(), store: newMemory()}
	p.start(t)
	return p
}

func (p *process) start(t tester) {
	opts := testOptions(p.store)
	opts.FS = p.disk
	opts.Fault, p.down = p.reach, false
	opts.Forgotten = &p.forgotten
	p.Gold = open(t, opts)
}

// reach is called at each step, by several goroutines.
func (p *process) reach(at FaultPoint) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault != nil && p.fault(at) != nil {
		p.down = true
	}
	if p.down {
		return errCrash
	}
	return nil
}

// crash loses all that was not synced.
func (p *process) crash(t tester) {
	survived := p.disk.CrashClone(vfs.CrashCloneCfg{})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p.disk = survived
	p.start(t)
}

// run applies each group and flushes, until it is acknowledged: whatever fails, the process crashes, and what was not
// acknowledged comes again.
func (p *process) run(t tester, groups [][][]capture) (crashes int) {
	seq := uint64(1)
	for _, group := range groups {
		for acknowledged := false; !acknowledged; {
			err := applyTogether(p, seq, group)
			acknowledged = err == nil
			if acknowledged {
				err = p.Flush(context.Background())
			}
			if err != nil {
				if !strings.Contains(err.Error(), errCrash.Error()) {
					t.Fatal(err)
				}
				crashes++
				p.crash(t)
			}
		}
		seq += uint64(len(group))
	}
	for p.FlushAll(context.Background()) != nil {
		crashes++
		p.crash(t)
	}
	return crashes
}

// crashAt crashes at the n-th time that a step is reached.
func crashAt(point FaultPoint, n int) func(FaultPoint) error {
	return func(at FaultPoint) error {
		if at == point {
			if n--; n == 0 {
				return errCrash
			}
		}
		return nil
	}
}

var faultPoints = []FaultPoint{state.BeforeAppend, state.AfterAppend, state.AfterCommit, state.BeforeIntent, state.AfterIntent, state.AfterWrite, state.AfterHeld}

// delivery is the same events undisturbed, and with a crash.
type delivery [][][]capture

func (groups delivery) survives(t tester, point FaultPoint, time int) (crashes int) {
	undisturbed, crashed := newProcess(t), newProcess(t)
	defer undisturbed.Close()
	defer func() { crashed.Close() }()
	undisturbed.run(t, groups)
	crashed.fault = crashAt(point, time)
	crashes = crashed.run(t, groups)
	equal(t, undisturbed, crashed)
	return crashes
}

func TestCrashesLoseAndDoubleNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := delivery(drawDelivery(t, drawCaptures(t)))
		point, time := rapid.SampledFrom(faultPoints).Draw(t, "point"), rapid.IntRange(1, 4).Draw(t, "time")
		groups.survives(t, point, time)
	})
}

// Each step is reached by some of a fixed row of deliveries, so that none goes untried whatever is drawn.
func TestACrashAtEachStepLosesNothing(t *testing.T) {
	deliveries := rapid.Custom(func(t *rapid.T) delivery { return drawDelivery(t, drawCaptures(t)) })
	for _, point := range faultPoints {
		t.Run(string(point), func(t *testing.T) {
			crashes := 0
			for seed := 0; crashes == 0 && seed < 50; seed++ {
				crashes = deliveries.Example(seed).survives(t, point, 1)
			}
			if crashes == 0 {
				t.Error("no delivery reaches this step")
			}
		})
	}
}

// equal compares all that two processes hold, the rows of traces by which message brought them aside.
func equal(t tester, a, b *process) {
	t.Helper()
	same(t, dump(t, a.Gold), dump(t, b.Gold))
	for _, table := range []string{schema.Traces, schema.Entities, schema.Episodes, schema.CapabilityMetrics, schema.UsageGraph, schema.Shed} {
		sameTable(t, a.store, b.store, table)
	}
}

// A store that fails may have done what it was asked for.
func TestStoreFailuresLoseAndDoubleNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := drawDelivery(t, drawCaptures(t))
		undisturbed, disturbed := newProcess(t), newProcess(t)
		defer undisturbed.Close()
		defer disturbed.Close()
		undisturbed.run(t, groups)
		failures := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "", "", "before", "after"}), 20, 100).Draw(t, "failures")
		var mu sync.Mutex
		disturbed.store.fail = func(string) (before, after error) {
			mu.Lock()
			defer mu.Unlock()
			if len(failures) == 0 {
				return nil, nil
			}
			failure := failures[0]
			failures = failures[1:]
			switch failure {
			case "before":
				return errCrash, nil
			case "after":
				return nil, errCrash
			default:
				return nil, nil
			}
		}
		seq := uint64(1)
		for _, group := range groups {
			for !tryDeliver(t, disturbed.Gold, seq, group) {
			}
			seq += uint64(len(group))
			if err := disturbed.Flush(context.Background()); err != nil && !errors.Is(err, ErrStore) {
				t.Fatal(err)
			}
		}
		for disturbed.FlushAll(context.Background()) != nil {
		}
		disturbed.store.fail = nil
		equal(t, undisturbed, disturbed)
	})
}

func tryDeliver(t tester, g *Gold, seq uint64, group [][]capture) bool {
	err := applyTogether(g, seq, group)
	if err != nil && !errors.Is(err, ErrStore) {
		t.Fatal(err)
	}
	return err == nil
}
