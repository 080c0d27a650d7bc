package sovereign

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"assay/sovereign/schema"
)

// Who writes under an epoch that is over changes nothing and leaves nothing behind.
func TestFence(t *testing.T) {
	store := openStore(t, t.TempDir())
	first, second := Epochs{Partition(3): 7, Upkeep: 1}, Epochs{Partition(3): 8, Upkeep: 2}
	claim(t, store, first)
	old := store.Fenced(first)
	appendRows(t, old, schema.Entities, 10)
	appendRows(t, old, schema.Episodes, 10)
	claim(t, store, second)
	files := filesBelow(t, store.root)

	for name, write := range writesUnder(t, old) {
		if err := write(t.Context()); !errors.Is(err, ErrFenced) {
			t.Errorf("%s under an epoch that is over: error %v, want %v", name, err, ErrFenced)
		}
	}
	expectCount(t, store, schema.Entities, schema.Filter{}, 10)
	if left := filesBelow(t, store.root); !slices.Equal(left, files) {
		t.Errorf("files after what was refused: %v, before: %v", left, files)
	}
	for name, write := range writesUnder(t, store.Fenced(second)) {
		if err := write(t.Context()); err != nil {
			t.Errorf("%s under the newest epoch: %v", name, err)
		}
	}
	if got, err := store.Epochs(t.Context()); err != nil || !maps.Equal(got, second) {
		t.Errorf("the store is in the epochs %v, error %v, want %v: not every write carries them on", got, err, second)
	}
}

// writesUnder are all the ways to change a table.
func writesUnder(t *testing.T, store *Store) map[string]func(context.Context) error {
	rows := sampleRows(t, schema.Entities, 5, 10)
	return map[string]func(context.Context) error{
		"append": func(ctx context.Context) error { return store.Append(ctx, schema.Entities, rows) },
		"merge": func(ctx context.Context) error {
			return store.Merge(ctx, schema.Episodes, sampleRows(t, schema.Episodes, 0, 10))
		},
		"delete": func(ctx context.Context) error {
			return store.Delete(ctx, schema.Entities, schema.Eq("entity_uuid", "entity_uuid-1"))
		},
		"delete all": func(ctx context.Context) error { return store.Delete(ctx, schema.CapabilityMetrics, schema.Filter{}) },
		"index of vectors": func(ctx context.Context) error {
			return store.on(ctx, "index", schema.Episodes, func(t *openTable) error {
				return t.native.createVectorIndex(vectorColumn, "some")
			})
		},
		"index of words": func(ctx context.Context) error {
			return store.on(ctx, "index", schema.Episodes, func(t *openTable) error { return t.native.createIndex(textColumn, "fts") })
		},
		"indexes": store.EnsureIndexes,
	}
}

// filesBelow lists the files of rows and of deleted rows, and the folders of indexes.
func filesBelow(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	for _, kind := range []string{"data", "_deletions", "_transactions", "_indices"} {
		found, err := filepath.Glob(filepath.Join(root, "*.lance", kind, "*"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// Each kind of change carries the epochs on that a table is in.
func TestEpochsOutliveEveryChange(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir)
	epochs := Epochs{Partition(0): 1, Partition(15): 1 << 40}
	claim(t, store, epochs)
	check := func(change string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", change, err)
		}
		for name, table := range store.tables {
			if got, err := table.native.currentEpochs(); err != nil || !maps.Equal(got, epochs) {
				t.Fatalf("after %s, %s is in the epochs %v, error %v, want %v", change, name, got, err, epochs)
			}
		}
	}
	for _, table := range schema.All {
		for range 3 {
			check("an append", store.Append(t.Context(), table.Name, sampleRows(t, table.Name, 0, 100)))
		}
		check("a delete", store.Delete(t.Context(), table.Name, schema.Eq(table.Key, table.Key+"-1")))
		check("a deletion of all", store.Delete(t.Context(), table.Name, schema.Filter{}))
		check("a merge", store.Merge(t.Context(), table.Name, sampleRows(t, table.Name, 50, 100)))
		check("a compaction", store.Prune(t.Context(), table.Name))
	}
	check("indexes", store.EnsureIndexes(t.Context()))
	appendRows(t, store, schema.Entities, 100)
	check("an extended index", store.Optimise(t.Context(), schema.Entities))
	check("new columns", store.tables[schema.Shed].native.addColumns([]arrow.Field{
		{Name: "later", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	}))
	check("another shape", store.Reshape(t.Context(), 3))
}

// An epoch begins once, and only after all lower ones.
func TestClaimOnlyRises(t *testing.T) {
	store := openStore(t, t.TempDir())
	claim(t, store, Epochs{Partition(1): 5})
	for _, epoch := range []uint64{5, 4} {
		if err := store.Claim(t.Context(), Epochs{Partition(1): epoch, Partition(2): 1}); !errors.Is(err, ErrFenced) {
			t.Errorf("claiming epoch %d after 5: error %v, want %v", epoch, err, ErrFenced)
		}
	}
	if got, err := store.Epochs(t.Context()); err != nil || !maps.Equal(got, Epochs{Partition(1): 5}) {
		t.Errorf("epochs %v, error %v", got, err)
	}
	unclaimed := store.Fenced(Epochs{Partition(9): 1})
	if err := unclaimed.Append(t.Context(), schema.Shed, sampleRows(t, schema.Shed, 0, 1)); !errors.Is(err, ErrFenced) {
		t.Errorf("a write for a partition that nobody claimed: error %v, want %v", err, ErrFenced)
	}
	appendRows(t, store, schema.Shed, 1) // without a fence nothing changes
}

func claim(t *testing.T, store *Store, epochs Epochs) {
	t.Helper()
	if err := store.Claim(t.Context(), epochs); err != nil {
		t.Fatal(err)
	}
}
