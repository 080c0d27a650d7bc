package embed

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxTableHeader bounds the description of a file's tensors; a static model has three of them at most.
const maxTableHeader = 1 << 20

// table is the matrix of a static model in a file of the form safetensors: the length of a header in 8 bytes, the header in
// JSON, and the numbers row by row.
type table struct {
	file             io.ReaderAt
	begin            int64 // of the first row in the file
	rows, dimensions int
	half             bool // numbers of 16 bits instead of 32
}

// tensor is what a header says of one.
type tensor struct {
	Type    string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // begin and end behind the header
}

// openTable finds the one matrix in a file of that size.
func openTable(file io.ReaderAt, size int64) (*table, error) {
	var length [8]byte
	if _, err := file.ReadAt(length[:], 0); err != nil {
		return nil, fmt.Errorf("read the header's length: %w", err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxTableHeader || int64(n) > size-int64(len(length)) {
		return nil, fmt.Errorf("a header of %d bytes is too long; is this a safetensors file?", n)
	}
	header := make([]byte, n)
	if _, err := file.ReadAt(header, int64(len(length))); err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	matrix, err := findMatrix(header)
	if err != nil {
		return nil, err
	}
	t := &table{file: file, begin: int64(len(length)) + int64(n) + matrix.Offsets[0], half: matrix.Type == "F16"}
	t.rows, t.dimensions = int(matrix.Shape[0]), int(matrix.Shape[1])
	if end := t.begin + int64(t.rows)*int64(t.rowBytes()); matrix.Offsets[0] < 0 || end > size {
		return nil, fmt.Errorf("%d rows of %d bytes end beyond the file", t.rows, t.rowBytes())
	}
	return t, nil
}

// findMatrix returns the one tensor with rows and columns. model2vec puts weights of tokens and a mapping to shared rows beside
// it where a model was made smaller; those change what a row counts, so that such a model cannot be used without them.
func findMatrix(header []byte) (*tensor, error) {
	var described map[string]json.RawMessage
	if err := json.Unmarshal(header, &described); err != nil {
		return nil, fmt.Errorf("the header is no JSON: %w", err)
	}
	delete(described, "__metadata__")
	if len(described) != 1 {
		return nil, fmt.Errorf("it holds %d tensors; a model with one table, without weights or a mapping, can be used", len(described))
	}
	var found tensor
	for name, text := range described {
		if err := json.Unmarshal(text, &found); err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
	}
	const rowsMax = 1 << 24
	switch shape := found.Shape; {
	case found.Type != "F16" && found.Type != "F32":
		return nil, fmt.Errorf("numbers of type %q; F16 or F32 can be used", found.Type)
	case len(shape) != 2 || shape[0] < 1 || shape[0] > rowsMax || shape[1] < 1 || shape[1] > maxDimensions:
		return nil, errors.New("it is no table with a row for each token")
	}
	return &found, nil
}

// rowBytes is the size of a row.
func (t *table) rowBytes() int {
	if t.half {
		return 2 * t.dimensions
	}
	return 4 * t.dimensions
}

// read reads a row.
func (t *table) read(row int, into []byte) error {
	_, err := t.file.ReadAt(into, t.begin+int64(row)*int64(len(into)))
	return err
}
