package bronze_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"

	"assay/consumers/bronze"
)

// decoded is what the decoders of Version make of the streams in testdata, as a digest of the golden files.
const decoded = "ef77f7c6cd726787"

// Who changes what a stream is decoded to raises the version, so that tables made before are recognised.
func TestVersionIsThatOfTheGoldenFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.golden"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	hash := sha256.New()
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(hash, name+"\n")
		_, _ = hash.Write(content)
	}
	if got := hex.EncodeToString(hash.Sum(nil)[:8]); got != decoded {
		t.Errorf("golden files have changed since version %d: raise bronze.Version if one did that was there before, and set decoded to %q",
			bronze.Version, got)
	}
}
