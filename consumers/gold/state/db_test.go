package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// What is deleted is in no file after a purge, also where the file had values that are still there.
func TestAPurgeLeavesNothingOfWhatWasDeleted(t *testing.T) {
	disk := vfs.NewMem()
	s, err := Open("state", disk, 16<<20, nil, slog.New(slog.DiscardHandler))
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
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	for k, want := range values {
		if found, err := Get(s, []byte(k), func(value []byte) error {
			if string(value) != want {
				t.Errorf("%s has another value", k)
			}
			return nil
		}); !found || err != nil {
			t.Fatalf("%s: found %t, %v", k, found, err)
		}
	}
	if err := s.Close(); err != nil { // files that nobody needs go beside all else
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
