package framing_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recordings returns the files of ../shared/data that match pattern, by name. It skips the test where they are absent.
func recordings(tb testing.TB, pattern string) map[string][]byte {
	tb.Helper()
	root, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for !exists(filepath.Join(root, "go.mod")) {
		root = filepath.Dir(root)
	}
	paths, err := filepath.Glob(filepath.Join(root, "..", "shared", "data", pattern))
	if err != nil {
		tb.Fatal(err)
	}
	if len(paths) == 0 {
		tb.Skipf("no recordings at ../shared/data/%s beside the repository", pattern)
	}
	files := map[string][]byte{}
	for _, p := range paths {
		body, err := os.ReadFile(p)
		if err != nil {
			tb.Fatal(err)
		}
		files[filepath.Base(p)] = body
	}
	return files
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
