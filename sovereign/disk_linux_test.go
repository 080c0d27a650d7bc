package sovereign

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"assay/internal/test/chaos/lossy"
	"assay/sovereign/schema"
)

// A disk may fail any one of the writes that an operation on a table makes, and be well again. Either the operation says so
// and leaves the table as it was, or all of it is there; and the table goes on.
func TestFailingDisk(t *testing.T) {
	for name, write := range diskWrites {
		t.Run(name, func(t *testing.T) {
			disk, dir := failingDisk(t)
			store := openStore(t, filepath.Join(dir, "store"))
			rows := firstRows(t, store)
			for nth, done := 1, 0; ; nth++ {
				writes, err := failNth(disk, nth, func() error { return write.run(t, store, done) })
				if err == nil {
					rows += write.adds
					done++
				}
				expectWhole(t, store, rows, err)
				if writes < nth {
					return
				}
				after := sampleRows(t, schema.Shed, diskRowsMax+nth, 1)
				if err := store.Append(t.Context(), schema.Shed, after); err != nil {
					t.Fatal(err)
				}
				rows++
			}
		})
	}
}

// The same for indexes of every kind: what they find is right whatever failed while they were brought up to date.
func TestFailingDiskIndexes(t *testing.T) {
	disk, dir := failingDisk(t)
	store := openStore(t, filepath.Join(dir, "store"))
	rows := 1000
	appendEmbedded(t, store, 0, rows)
	if err := errors.Join(store.EnsureIndexes(t.Context()), store.EnsureVectorIndex(t.Context(), "model")); err != nil {
		t.Fatal(err)
	}
	for nth := 1; ; nth += 1 + nth/4 {
		appendEmbedded(t, store, rows, 10)
		rows += 10
		writes, err := failNth(disk, nth, func() error { return store.Optimise(t.Context(), schema.Episodes) })
		if err != nil && !errors.Is(err, ErrIO) {
			t.Errorf("got %v, want ErrIO", err)
		}
		sought := rows - 2 // a row with both text and vector
		episode := fmt.Sprintf("episode_uuid-%d", sought)
		for _, q := range []schema.Query{
			{Where: schema.Eq("episode_uuid", episode)},
			{Match: &schema.Match{Column: "text", Text: fmt.Sprint(sought)}},
			{Nearest: &schema.Nearest{Column: "vector", Vector: sampleVector(sought)}},
		} {
			q.Table, q.Limit = schema.Episodes, 1
			if found := texts(readAll(t, store, q), "episode_uuid"); !slices.Equal(found, []string{episode}) {
				t.Fatalf("%+v: got %q, want %s, after an upkeep that returned %v", q, found, episode, err)
			}
		}
		if writes < nth {
			return
		}
	}
}

// A disk may be full from any page of any file of a write on.
func TestFullDisk(t *testing.T) {
	for name, write := range diskWrites {
		t.Run(name, func(t *testing.T) {
			disk := smallDisk(t)
			store := openStore(t, filepath.Join(disk, "store"))
			rows := firstRows(t, store)
			leave(t, disk, 0)
			err := write.run(t, store, 0)
			if err == nil {
				t.Error("a write without space succeeded")
			}
			for free := int64(pageBytes); err != nil; free += pageBytes {
				expectWhole(t, store, rows, err)
				leave(t, disk, free)
				err = write.run(t, store, 0)
			}
			expectWhole(t, store, rows+write.adds, nil)
		})
	}
}

// diskRows is how many rows the tables here have at first, and how many one write brings. None has a number from
// diskRowsMax on.
const (
	diskRows    = 400
	diskRowsMax = 1 << 20
)

// diskWrites are the ways to write to a table, and the rows that the table has more after each time.
var diskWrites = map[string]struct {
	run  func(t *testing.T, s *Store, done int) error
	adds int64
}{
	"append": {func(t *testing.T, s *Store, done int) error {
		return s.Append(t.Context(), schema.Shed, sampleRows(t, schema.Shed, (done+1)*diskRows, diskRows))
	}, diskRows},
	"merge": {func(t *testing.T, s *Store, done int) error {
		return s.Merge(t.Context(), schema.Shed, sampleRows(t, schema.Shed, diskRows/2+done*diskRows/2, diskRows))
	}, diskRows / 2},
	"delete": {func(t *testing.T, s *Store, done int) error {
		return s.Delete(t.Context(), schema.Shed, schema.Eq("count", done))
	}, -1},
	"optimise": {func(t *testing.T, s *Store, _ int) error {
		return s.Optimise(t.Context(), schema.Shed)
	}, 0},
}

// failNth has the nth write to the disk fail that call makes, and counts them.
func failNth(disk *lossy.Disk, nth int, call func() error) (writes int, err error) {
	disk.Fail(func(op lossy.Op) syscall.Errno {
		if op != lossy.OpWrite {
			return 0
		}
		if writes++; writes != nth {
			return 0
		}
		return syscall.EIO
	})
	err = call()
	disk.Fail(nil)
	return writes, err
}

// firstRows appends rows in several fragments, so that there is something to optimise.
func firstRows(t *testing.T, store *Store) int64 {
	t.Helper()
	const parts = 8
	for part := range parts {
		rows := sampleRows(t, schema.Shed, part*diskRows/parts, diskRows/parts)
		if err := store.Append(t.Context(), schema.Shed, rows); err != nil {
			t.Fatal(err)
		}
	}
	return diskRows
}

// expectWhole reads all there is in the table, not only what its newest version says of it, after a write that returned err.
func expectWhole(t *testing.T, store *Store, rows int64, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, ErrIO) {
		t.Errorf("got %v, want ErrIO", err)
	}
	if found := readAll(t, store, schema.Query{Table: schema.Shed}); found.NumRows() != rows {
		t.Fatalf("%d rows after a write that returned %v, want %d", found.NumRows(), err, rows)
	}
}

// failingDisk mounts a disk that fails when told to.
func failingDisk(t *testing.T) (disk *lossy.Disk, dir string) {
	t.Helper()
	disk, err := lossy.New(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "disk")
	if err := disk.Mount(dir); errors.Is(err, lossy.ErrMount) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unmount(t, dir) })
	return disk, dir
}

// pageBytes is what a file system in memory allocates at a time.
const pageBytes = 4 << 10

// smallDisk mounts a small file system.
func smallDisk(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	t.Cleanup(func() { unmount(t, dir) })
	return dir
}

// unmount does not wait for the files that the native library's caches hold open until the process ends. Force ends the
// requests of a FUSE file system; otherwise closing these files would wait for a server that is gone.
func unmount(t *testing.T, dir string) {
	if err := syscall.Unmount(dir, syscall.MNT_FORCE|syscall.MNT_DETACH); err != nil {
		t.Error(err)
	}
}

// leave fills a disk but for so many bytes.
func leave(t *testing.T, disk string, free int64) {
	t.Helper()
	ballast, err := os.Create(filepath.Join(disk, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for ; err == nil; size += pageBytes {
		_, err = ballast.WriteAt(make([]byte, pageBytes), size)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := errors.Join(ballast.Truncate(size-pageBytes-free), ballast.Close()); err != nil {
		t.Fatal(err)
	}
}
