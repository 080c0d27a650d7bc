package rebuild

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Paths of what is swapped, below a data directory.
const (
	state    = StateDir + "/who"
	store    = StoreDir + "/who"
	newState = workDir + "/" + newDir + "/" + state
	newStore = workDir + "/" + newDir + "/" + store
	oldState = workDir + "/" + oldDir + "/" + state
	oldStore = workDir + "/" + oldDir + "/" + store
	marker   = workDir + "/" + completeFile
	stamp    = workDir + "/" + stampFile
)

// Whatever a crash leaves of a swap, the next one ends it.
func TestSwapFinishesWhatACrashLeft(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"nothing moved":              {state: "old", store: "old", newState: "new", newStore: "new", marker: "", stamp: "x"},
		"no old directories":         {newState: "new", newStore: "new", marker: "", stamp: "x"},
		"old state moved out":        {oldState: "old", store: "old", newState: "new", newStore: "new", marker: "", stamp: "x"},
		"state swapped":              {oldState: "old", state: "new", store: "old", newStore: "new", marker: "", stamp: "x"},
		"old store moved out":        {oldState: "old", state: "new", oldStore: "old", newStore: "new", marker: "", stamp: "x"},
		"all swapped":                {oldState: "old", state: "new", oldStore: "old", store: "new", marker: "", stamp: "x"},
		"old ones partly taken away": {oldState: "old", state: "new", store: "new", marker: ""},
	} {
		t.Run(name, func(t *testing.T) {
			data := lay(t, files)
			for range 2 { // a second swap changes nothing
				if err := Swap(data, Targets{}); err != nil {
					t.Fatal(err)
				}
				check(t, data, "new")
			}
			if left := names(t, data); !slices.Equal(left, []string{StoreDir, StateDir}) {
				t.Errorf("left in the data directory: %v", left)
			}
		})
	}
}

func TestSwapLeavesAnUnfinishedBuildAlone(t *testing.T) {
	data := lay(t, map[string]string{state: "old", store: "old", newState: "half", stamp: "x"})
	if err := Swap(data, Targets{}); err != nil {
		t.Fatal(err)
	}
	check(t, data, "old")
	for _, c := range []struct{ stamp, want string }{{"x", "half"}, {"y", ""}} {
		if err := prepare(data, c.stamp); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(filepath.Join(data, newState)); string(got) != c.want {
			t.Errorf("stamp %s found %q, want %q", c.stamp, got, c.want)
		}
	}
}

func lay(t *testing.T, files map[string]string) (data string) {
	data = t.TempDir()
	for name, content := range files {
		path := filepath.Join(data, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

func check(t *testing.T, data, want string) {
	t.Helper()
	for _, name := range []string{state, store} {
		if got, err := os.ReadFile(filepath.Join(data, name)); string(got) != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
}

func names(t *testing.T, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A file that cannot be written anew keeps what it had, and no reader meets half of it.
func TestWriteDurably(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	if err := WriteDurably(name, []byte("old")); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(name) // it holds on to the file that there was
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := WriteDurably(name, []byte("new")); err != nil {
		t.Fatal(err)
	}
	was := make([]byte, 3)
	if _, err := reader.Read(was); err != nil || string(was) != "old" {
		t.Errorf("the file was written in place: %q, %v", was, err)
	}
	now, err := os.ReadFile(name)
	entries, _ := os.ReadDir(dir)
	if err != nil || string(now) != "new" || len(entries) != 1 {
		t.Errorf("%q, %v among %v", now, err, entries)
	}
}
