package formats

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/valyala/fastjson"

	"assay/internal/capture/framing"
)

// TestMarksMissNothing holds the marks of the table to its tests: looking only at rows of which an object has a mark gives the same
// format as looking at all of them.
func TestMarksMissNothing(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "formats")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no samples of formats at ../shared/formats beside the repository")
	}
	seen := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, format := range []framing.Format{framing.NDJSON, framing.JSON} {
			for text := range framing.Texts(format, body, true) {
				seen += sameWithoutMarks(t, text)
			}
		}
		for block := range framing.ParseSSE(append(body, "\n\n"...), true) {
			seen += sameWithoutMarks(t, block.Data)
		}
		return nil
	})
	if err != nil || seen == 0 {
		t.Fatalf("%d objects seen: %v", seen, err)
	}
}

// FuzzMarks looks for an object that a row takes of which it has no mark.
func FuzzMarks(f *testing.F) {
	f.Add([]byte(`{"type":"error","error":{"message":"no"}}`))
	f.Add([]byte(`{"id":"1","status":{"state":"working"},"contextId":"c"}`))
	f.Fuzz(func(t *testing.T, text []byte) { sameWithoutMarks(t, text) })
}

func sameWithoutMarks(t *testing.T, text []byte) int {
	v, err := fastjson.ParseBytes(text)
	if err != nil || v.Type() != fastjson.TypeObject {
		return 0
	}
	want := Unknown
	for i := range table {
		if table[i].is(v, str(v, "type")) {
			want = table[i].format
			break
		}
	}
	if got := Of(v); got != want {
		t.Errorf("%q without marks, %q with them: %.200s", want, got, text)
	}
	return 1
}
