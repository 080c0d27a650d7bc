package sovereign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"assay/internal/test/gateway"
	"assay/sovereign/schema"
)

// reads is what a process that a test starts asks a store for: rows as they lie there, and those that indexes find.
func reads() []schema.Query {
	columns := []string{"episode_uuid", "text", "vector"}
	return []schema.Query{
		{Table: schema.Episodes, Columns: columns},
		{Table: schema.Episodes, Columns: columns, Where: schema.Eq("workflow_id", "workflow_id-7")},
		{Table: schema.Episodes, Columns: columns, Limit: 5, Match: &schema.Match{Column: textColumn, Text: "text 17"}},
		{Table: schema.Episodes, Columns: columns, Limit: 5, Nearest: &schema.Nearest{Column: vectorColumn, Vector: sampleVector(40)}},
	}
}

// TestReaderProcess is what such a process runs. It has nothing in memory.
func TestReaderProcess(t *testing.T) {
	if os.Getenv(readerRoot) == "" {
		t.Skip("run by other tests")
	}
	var options Options
	if err := json.Unmarshal([]byte(os.Getenv(writerOptions)), &options); err != nil {
		t.Fatal(err)
	}
	store, err := Open(t.Context(), os.Getenv(readerRoot), options)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, q := range reads() {
		fmt.Println(readAll(t, store, q))
	}
}

// readerRoot names the store to such a process.
const readerRoot = "READER_STORE"

// readBy has a process of its own read a store, and returns what that found.
func readBy(t *testing.T, root string, options Options) string {
	t.Helper()
	text, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestReaderProcess$")
	process.Env = append(os.Environ(), readerRoot+"="+root, writerOptions+"="+string(text))
	process.Stderr = t.Output()
	out, err := process.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found, _, _ := bytes.Cut(out, []byte("PASS"))
	return string(found)
}

// What never changes is read over the network once, whatever process reads it; what the disk has lost or altered is read anew, and what
// is kept stays within its limit.
func TestCacheOfABucket(t *testing.T) {
	const root = "s3://memory/cached"
	var asked atomic.Int64 // for files that never change
	network := gateway.Through(t, gateway.Start(t).URL(), func(r *http.Request) gateway.Fault {
		if r.Method != http.MethodPut && (strings.Contains(r.URL.Path, "/data/") || strings.Contains(r.URL.Path, "/_indices/") ||
			strings.Contains(r.URL.Path, "/_deletions/")) {
			asked.Add(1)
		}
		return gateway.None
	})
	plain := bucketOptions(network.URL)
	fillCached(t, root, plain)
	want := readBy(t, root, plain)

	cached := plain
	cached.CacheDir, cached.CacheBytes = filepath.Join(t.TempDir(), "cache"), 256<<20
	read := func(doing string) (requests int64) {
		t.Helper()
		asked.Store(0)
		if got := readBy(t, root, cached); got != want {
			t.Errorf("%s: read %d bytes of rows that are not those of the store, %d bytes", doing, len(got), len(want))
		}
		if kept := bytesBelow(t, cached.CacheDir); kept > cached.CacheBytes {
			t.Errorf("%s: %d bytes are kept, more than %d", doing, kept, cached.CacheBytes)
		}
		return asked.Load()
	}
	if read("the first time") == 0 {
		t.Error("nothing was asked for the first time")
	}
	if n := read("the second time"); n > 0 {
		t.Errorf("%d requests for what is kept", n)
	}
	damage(t, cached.CacheDir)
	if read("from a damaged disk") == 0 {
		t.Error("what was damaged is not asked for again")
	}
	if _, err := os.Stat(filepath.Join(cached.CacheDir, "unfinished.1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a crash left is still there, error %v", err)
	}
	if n := read("once it is mended"); n > 0 {
		t.Errorf("%d requests for what was mended", n)
	}
	cached.CacheBytes = 300 << 10
	for range 2 {
		if read("with little room") == 0 {
			t.Error("all is kept where there is no room for it")
		}
	}
}

// fillCached makes a store with rows, deleted rows and indexes.
func fillCached(t *testing.T, root string, options Options) {
	t.Helper()
	store, err := Open(t.Context(), root, options)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for from := range 4 {
		rows := sampleRows(t, schema.Episodes, from*300, 300)
		if err := store.Append(t.Context(), schema.Episodes, rows); err != nil {
			t.Fatal(err)
		}
	}
	err = errors.Join(
		store.Delete(t.Context(), schema.Episodes, schema.Eq("workflow_id", "workflow_id-30")), store.EnsureIndexes(t.Context()),
		store.Optimise(t.Context(), schema.Episodes),
		store.on(t.Context(), "index", schema.Episodes, func(t *openTable) error { return t.native.createVectorIndex(vectorColumn, "some") }),
	)
	if err != nil {
		t.Fatal(err)
	}
}

// damage alters a bit of some files, cuts others, and leaves one that was being written.
func damage(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 0:
			content[len(content)/2] ^= 1
		case 1:
			content = content[:len(content)-1]
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "unfinished.1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func bytesBelow(t *testing.T, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// Whoever forgets leaves nothing on the disk.
func TestPruneClearsTheCache(t *testing.T) {
	options := bucketOptions(gateway.Start(t).URL())
	options.CacheDir, options.CacheBytes = filepath.Join(t.TempDir(), "cache"), 1<<20
	store, err := Open(t.Context(), "s3://memory/pruned", options)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	appendRows(t, store, schema.Entities, 10)
	expectCount(t, store, schema.Entities, schema.Eq("entity_uuid", "entity_uuid-7"), 1)
	readAll(t, store, schema.Query{Table: schema.Entities})
	if err := store.Prune(t.Context(), schema.Entities); err != nil {
		t.Fatal(err)
	}
	if kept := bytesBelow(t, options.CacheDir); kept > 0 {
		t.Errorf("%d bytes are kept", kept)
	}
}
