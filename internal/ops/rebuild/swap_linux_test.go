package rebuild

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// The tables may belong to another file system than the data directory, where nothing can be moved to, and what lies beside them
// stays. A swap that was interrupted is done again.
func TestSwapAcrossFileSystems(t *testing.T) {
	other, err := os.MkdirTemp("/dev/shm", "")
	if err != nil {
		t.Skipf("no second file system: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(other) })
	const built = workDir + "/" + newDir + "/" + StoreDir
	data := lay(t, map[string]string{
		state: "old", newState: "new", marker: "", stamp: "x",
		built + "/a.lance/data/1": "new", built + "/a.lance/_versions/1": "new", built + "/b.lance/data/1": "new",
	})
	if err := os.Link(filepath.Join(data, state), filepath.Join(other, "link")); !errors.Is(err, syscall.EXDEV) {
		t.Skipf("/dev/shm is no other file system: %v", err)
	}
	for _, name := range []string{"beside", "a.lance/data/0", "b.lance/data/1"} { // b was half copied
		path := filepath.Join(other, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("old"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := Swap(data, Targets{Store: other}); err != nil {
			t.Fatal(err)
		}
	}
	var left []string
	for _, pattern := range []string{"beside", "*.lance/*/*"} {
		found, _ := filepath.Glob(filepath.Join(other, pattern))
		for _, path := range found {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			left = append(left, path[len(other)+1:]+" "+string(content))
		}
	}
	slices.Sort(left)
	want := []string{"a.lance/_versions/1 new", "a.lance/data/1 new", "b.lance/data/1 new", "beside old"}
	if !slices.Equal(left, want) {
		t.Errorf("the folder holds %q, want %q", left, want)
	}
	if got, err := os.ReadFile(filepath.Join(data, state)); string(got) != "new" {
		t.Errorf("the state is %q, error %v", got, err)
	}
}
