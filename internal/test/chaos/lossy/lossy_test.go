package lossy

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// mounted returns a disk and where it is mounted.
func mounted(t *testing.T, strict bool) (*Disk, string) {
	t.Helper()
	d, err := New(t.TempDir(), strict)
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(t.TempDir(), "at")
	if err := d.Mount(at); errors.Is(err, ErrMount) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return d, at
}

// write writes a file, and syncs it and its directory if it should last.
func write(t *testing.T, path, text string, syncFile, syncDir bool) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err == nil && syncFile {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if syncDir {
		syncPath(t, filepath.Dir(path))
	}
}

func syncPath(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func cut(t *testing.T, d *Disk) {
	t.Helper()
	d.Off()
	if err := d.On(); err != nil {
		t.Fatal(err)
	}
}

// expect fails unless the file has that text; "-": there is none.
func expect(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && want == "-":
	case err != nil || string(got) != want:
		t.Errorf("%s has %q, %v, want %q", filepath.Base(path), got, err, want)
	}
}

func TestCutForgetsWhatWasNotSynced(t *testing.T) {
	for _, strict := range []bool{false, true} {
		d, at := mounted(t, strict)
		name := func(s string) string { return filepath.Join(at, s) }
		if err := os.Mkdir(name("dir"), 0o700); err != nil {
			t.Fatal(err)
		}
		syncPath(t, at)
		write(t, name("dir/whole"), "whole", true, true)
		write(t, name("dir/empty"), "empty", false, true)
		write(t, name("dir/changed"), "before", true, true)
		write(t, name("dir/changed"), "after, and longer", false, true)
		write(t, name("dir/moved"), "moved", true, true)
		write(t, name("dir/replaced"), "old", true, true)
		write(t, name("dir/new"), "new", true, true)
		if err := errors.Join(os.Rename(name("dir/moved"), name("moved")), os.Rename(name("dir/new"), name("dir/replaced"))); err != nil {
			t.Fatal(err)
		}
		write(t, name("dir/unsynced"), "unsynced", false, false)
		expect(t, name("dir/replaced"), "new")
		cut(t, d)
		expect(t, name("dir/whole"), "whole")
		expect(t, name("dir/unsynced"), "-")
		expect(t, name("dir/empty"), "")
		expect(t, name("dir/changed"), "before")
		expect(t, name("dir/moved"), "moved")
		expect(t, name("dir/replaced"), "old")
		expect(t, name("moved"), "-")
	}
}

// Syncing one of two directories between which a file moved settles both.
func TestMoveLastsInBothDirectories(t *testing.T) {
	for _, synced := range []string{"from", "to"} {
		d, at := mounted(t, true)
		for _, name := range []string{"from", "to"} {
			if err := os.Mkdir(filepath.Join(at, name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		syncPath(t, at)
		write(t, filepath.Join(at, "from", "f"), "text", true, true)
		if err := os.Rename(filepath.Join(at, "from", "f"), filepath.Join(at, "to", "f")); err != nil {
			t.Fatal(err)
		}
		syncPath(t, filepath.Join(at, synced))
		cut(t, d)
		expect(t, filepath.Join(at, "from", "f"), "-")
		expect(t, filepath.Join(at, "to", "f"), "text")
	}
}

// Only the lenient disk keeps the name of a new file that was synced and whose directory was not.
func TestNameOfASyncedFile(t *testing.T) {
	for strict, want := range map[bool]string{false: "text", true: "-"} {
		d, at := mounted(t, strict)
		write(t, filepath.Join(at, "f"), "text", true, false)
		cut(t, d)
		expect(t, filepath.Join(at, "f"), want)
	}
}

func TestFail(t *testing.T) {
	d, at := mounted(t, false)
	d.Fail(func(op Op) syscall.Errno {
		if op == OpWrite {
			return syscall.ENOSPC
		}
		return 0
	})
	if err := os.WriteFile(filepath.Join(at, "f"), []byte("x"), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk says %v", err)
	}
	d.Fail(nil)
	write(t, filepath.Join(at, "f"), "x", true, true)
	expect(t, filepath.Join(at, "f"), "x")
}
