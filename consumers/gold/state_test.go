package gold

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"assay/consumers/bronze"
	"assay/sovereign/schema"
)

// someCalls returns requests of one workflow, numbered.
func someCalls(from, n int) (captures []capture) {
	for i := from; i < from+n; i++ {
		captures = append(captures, newCapture(capture{event: event{
			kind: bronze.KindRPCRequest, phase: bronze.PhaseStart, workflow: "w", stream: "s", position: uint64(i),
			capability: "read", inputTokens: -1, outputTokens: -1,
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
	return g.Apply(context.Background(), []Batch{{seq, r}})
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
	opts := testOptions(newMemory())
	g := open(t, opts)
	var shorter encoder // as all records of progress begin
	shorter.uint(stateVersion - 1)
	if err := g.state.db.Set([]byte{keyProgress}, shorter, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), opts); !errors.Is(err, ErrVersion) {
		t.Errorf("error is %v, want ErrVersion", err)
	}
}

func TestADamagedRecordIsAnError(t *testing.T) {
	g := open(t, testOptions(newMemory()))
	defer g.Close()
	captures := someCalls(0, 1)
	deliver(t, g, 1, [][]capture{captures})
	if err := g.state.db.Set(key(keyOrdinal, captures[0].entity), []byte{200}, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Entity(captures[0].entity); !errors.Is(err, ErrState) {
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
	if err := g.state.db.Set(key(keyOrdinal, captures[0].entity), []byte{200}, pebble.Sync); err != nil {
		t.Fatal(err)
	}
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
	p.fault = crashAt(AfterAppend, 1)
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

// What is deleted is in no file after a purge, also where the file had values that are still there.
func TestAPurgeLeavesNothingOfWhatWasDeleted(t *testing.T) {
	disk := vfs.NewMem()
	s, err := openState("state", disk, 16<<20, stateLogger{slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{})
	values := map[string]string{}
	for file := range 5 {
		for i := range 200 {
			value := make([]byte, 4*stateApartBytes)
			random.Read(value) // which no compression hides
			k := fmt.Sprintf("k%03d-%d", i, file)
			values[k] = string(value)
			if err := s.db.Set([]byte(k), value, pebble.NoSync); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(s.db.Flush(), s.db.Compact(t.Context(), []byte{0}, []byte{0xFF}, true)); err != nil {
			t.Fatal(err)
		}
	}
	gone := map[string]string{}
	for i := 0; i < 200; i += 20 {
		k := fmt.Sprintf("k%03d-%d", i, i/20%5)
		gone[k] = values[k]
		delete(values, k)
		if err := s.db.Delete([]byte(k), pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	if found := filesWith(t, disk, gone); found == 0 {
		t.Error("what was just deleted is in no file any more; this test shows nothing")
	}
	if err := s.purge(t.Context(), &sync.Mutex{}); err != nil {
		t.Fatal(err)
	}
	for k, want := range values {
		if found, err := s.get([]byte(k), func(value []byte) error {
			if string(value) != want {
				t.Errorf("%s has another value", k)
			}
			return nil
		}); !found || err != nil {
			t.Fatalf("%s: found %t, %v", k, found, err)
		}
	}
	if err := s.close(); err != nil { // files that nobody needs go beside all else
		t.Fatal(err)
	}
	if found := filesWith(t, disk, gone); found > 0 {
		t.Errorf("%d files have what was deleted", found)
	}
}

// filesWith counts the files of the state that have one of the values. A log is not one: it is reused as it is.
func filesWith(t *testing.T, disk vfs.FS, values map[string]string) (count int) {
	names, err := disk.List("state")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") && !strings.HasSuffix(name, ".blob") {
			continue
		}
		file, err := disk.Open(disk.PathJoin("state", name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just gone
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(file)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatal(err)
		}
		for _, value := range values {
			if bytes.Contains(content, []byte(value)) {
				count++
				break
			}
		}
	}
	return count
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
	rows := newRows(schema.Shed)
	defer rows.Release()
	r := rows.NewRecord()
	defer r.Release()
	if err := g.Apply(context.Background(), []Batch{{1, r}}); !errors.Is(err, ErrBatch) {
		t.Errorf("error is %v, want ErrBatch", err)
	}
}
