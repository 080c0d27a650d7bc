package capture

import (
	"bufio"
	"bytes"
	"io"
	"math"
	"path"
	"strings"
)

// packings are the compressions of files, each with what such a file begins with and how its name ends.
var packings = []struct {
	encoding, begins, ext string
}{
	{"gzip", "\x1f\x8b", ".gz"},
	{"zstd", "\x28\xb5\x2f\xfd", ".zst"},
}

// content is what a file holds. It can be read from the start any number of times.
type content struct {
	file     io.ReaderAt
	encoding string // of the file; "": it is as it is
}

func (c content) open() (io.ReadCloser, error) {
	return Decompress(io.NopCloser(io.NewSectionReader(c.file, 0, math.MaxInt64)), c.encoding)
}

// unpack returns what a file's bytes hold, and the encoding that they are in; content decides, not a name.
func unpack(r *bufio.Reader) (plain io.ReadCloser, encoding string, err error) {
	first, _ := r.Peek(4) // that there are fewer is no fault
	for _, p := range packings {
		if bytes.HasPrefix(first, []byte(p.begins)) {
			encoding = p.encoding
		}
	}
	plain, err = Decompress(io.NopCloser(r), encoding)
	return plain, encoding, err
}

// unpacked is a name without the end that says how the file is compressed: what was captured before it was compressed is the same.
func unpacked(name string) string {
	for _, p := range packings {
		if strings.EqualFold(path.Ext(name), p.ext) {
			return name[:len(name)-len(p.ext)]
		}
	}
	return name
}
