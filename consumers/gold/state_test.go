package gold

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
	"assay/sovereign/schema"
)

// someCalls returns requests of one workflow, numbered.
func someCalls(from, n int) (captures []capture) {
	for i := from; i < from+n; i++ {
		captures = append(captures, newCapture(capture{Event: model.Event{
			Kind: bronze.KindRPCRequest, Phase: bronze.PhaseStart, Workflow: "w", Stream: "s", Position: uint64(i),
			Capability: "read", InputTokens: -1, OutputTokens: -1,
		}}, string(rune('a'+i))))
	}
	return captures
}

func TestAFailingDiskIsAnErrorAndLosesNothing(t *testing.T) {
	broken := false
	disk := vfs.NewCrashableMem()
	opts := testOptions(newMemory())
	opts.FS = errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken && strings.HasSuffix(op.Path, ".log") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return errorfs.ErrInjected
		}
		return nil
	}))
	g := open(t, opts)
	deliver(t, g, 1, [][]capture{someCalls(0, 3)})
	broken = true
	if tryErr := apply(g, 2, someCalls(3, 3)); !errors.Is(tryErr, ErrState) {
		t.Fatalf("error is %v, want ErrState", tryErr)
	}
	broken = false
	survived := disk.CrashClone(vfs.CrashCloneCfg{})
	_ = g.Close() // it fails as the commit did

	opts.FS = survived
	g = open(t, opts)
	defer g.Close()
	if g.Applied() != 1 || g.Totals().Events != 3 {
		t.Errorf("applied %d with %d events, want 1 with 3", g.Applied(), g.Totals().Events)
	}
	deliver(t, g, 2, [][]capture{someCalls(3, 3)})
	if rows, err := opts.Store.(*memoryStore).byKey(schema.Traces); err != nil || len(rows) != 6 {
		t.Errorf("%d rows, %v; want 6", len(rows), err)
	}
}

func apply(g *Gold, seq uint64, captures []capture) error {
	r := record(captures)
	defer r.Release()
	return g.Apply(context.Background(), []Batch{{Seq: seq, Record: r}})
}

func TestAStateThatIsLostIsNoticed(t *testing.T) {
	store := newMemory()
	g := open(t, testOptions(store))
	deliver(t, g, 1, [][]capture{someCalls(0, 1)})
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), testOptions(store)); !errors.Is(err, ErrStateLost) {
		t.Errorf("error is %v, want ErrStateLost", err)
	}
	if len(store.tables[schema.Traces]) != 1 {
		t.Error("rows were deleted")
	}
}

func TestAStateOfAnotherVersionIsNoticed(t *testing.T) {
	for _, version := range []uint64{model.StateVersion - 1, model.StateVersion + 1} {
		opts := testOptions(newMemory())
		g := open(t, opts)
		var other model.Encoder // as all records of progress begin
		other.Uint(version)
		overwrite(t, g, []byte{model.KeyProgress}, other)
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(context.Background(), opts); !errors.Is(err, ErrVersion) {
			t.Errorf("error is %v, want ErrVersion", err)
		}
	}
}

// overwrite puts another record into the state.
func overwrite(t *testing.T, g *Gold, key, record []byte) {
	t.Helper()
	writes := g.db.NewBatch()
	defer writes.Close()
	if err := errors.Join(writes.Set(key, record, nil), g.db.Commit(writes, pebble.Sync)); err != nil {
		t.Fatal(err)
	}
}

func TestADamagedRecordIsAnError(t *testing.T) {
	g := open(t, testOptions(newMemory()))
	defer g.Close()
	captures := someCalls(0, 1)
	deliver(t, g, 1, [][]capture{captures})
	overwrite(t, g, model.Key(model.KeyOrdinal, captures[0].Entity), []byte{200})
	if _, err := g.Entity(captures[0].Entity); !errors.Is(err, ErrState) {
		t.Errorf("error is %v, want ErrState", err)
	}
}

// What is unreadable is set aside, and the rest goes on: else the program would end at every start.
func TestADamagedRecordHoldsNothingUp(t *testing.T) {
	store := newMemory()
	g := open(t, testOptions(store))
	defer g.Close()
	captures := someCalls(0, 2)
	deliver(t, g, 1, [][]capture{captures})
	overwrite(t, g, model.Key(model.KeyOrdinal, captures[0].Entity), []byte{200})
	if err := g.FlushAll(context.Background()); err != nil {
		t.Errorf("flush: %v", err)
	}
	if rows := len(store.tables[schema.Entities]); rows != 1 {
		t.Errorf("%d entities, want the one that can be read", rows)
	}
	if n, err := g.Unreadable(); n != 1 || err != nil {
		t.Errorf("%d unreadable, %v; want 1", n, err)
	}
	if err := apply(g, 2, append(someCalls(0, 2), someCalls(5, 1)...)); err != nil {
		t.Errorf("apply: %v", err)
	}
	if err := g.FlushAll(context.Background()); err != nil {
		t.Errorf("flush: %v", err)
	}
}

func TestAMessageThatComesLateIsMergedOnce(t *testing.T) {
	p := newProcess(t)
	deliver(t, p.Gold, 1, [][]capture{someCalls(0, 1)})
	deliver(t, p.Gold, 3, [][]capture{someCalls(2, 1)})
	// Message 2 got lost on its way and comes now; the process dies after its row was written.
	p.fault = crashAt(state.AfterAppend, 1)
	if err := apply(p.Gold, 2, someCalls(1, 1)); err == nil {
		t.Fatal("no crash")
	}
	p.crash(t)
	defer func() { p.Close() }()
	deliver(t, p.Gold, 2, [][]capture{someCalls(1, 1)})
	if rows, err := p.store.byKey(schema.Traces); err != nil || len(rows) != 3 {
		t.Errorf("%d rows, %v; want 3", len(rows), err)
	}
	if p.Applied() != 3 {
		t.Errorf("applied %d, want 3", p.Applied())
	}
}

func TestAStreamCreatedAnewCountsOn(t *testing.T) {
	store := newMemory()
	opts := testOptions(store)
	opts.Epoch = "first"
	g := open(t, opts)
	deliver(t, g, 7, [][]capture{someCalls(0, 2)})
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	for _, epoch := range []string{"second", "second"} { // reconciling once more must not delete what came under it
		opts.Epoch = epoch
		g = open(t, opts)
		deliver(t, g, 1, [][]capture{someCalls(1, 2)})
		if g.Applied() != 1 {
			t.Errorf("applied %d, want 1", g.Applied())
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := store.byKey(schema.Traces)
	if err != nil || len(rows) != 3 {
		t.Errorf("%d rows, %v; want 3", len(rows), err)
	}
	if store.calls["merge "+schema.Traces] > 0 {
		t.Error("rows of the new stream were taken for late ones")
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	for name, spoil := range map[string]func(*Options){
		"directory": func(o *Options) { o.Dir = "" },
		"store":     func(o *Options) { o.Store = nil },
		"limit":     func(o *Options) { o.MaxFetch = 0 },
	} {
		opts := testOptions(newMemory())
		spoil(&opts)
		if _, err := Open(context.Background(), opts); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: error is %v, want ErrOptions", name, err)
		}
	}
}

func TestARecordOfAnotherSchemaIsRefused(t *testing.T) {
	g := open(t, testOptions(newMemory()))
	defer g.Close()
	rows := array.NewRecordBuilder(memory.DefaultAllocator, schema.ByName(schema.Shed).Schema)
	defer rows.Release()
	r := rows.NewRecord()
	defer r.Release()
	if err := g.Apply(context.Background(), []Batch{{Seq: 1, Record: r}}); !errors.Is(err, ErrBatch) {
		t.Errorf("error is %v, want ErrBatch", err)
	}
}
