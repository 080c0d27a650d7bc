package embed

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
	"sync"
)

// The files of a static model.
const (
	tableFile     = "model.safetensors"
	tokenizerFile = "tokenizer.json"
)

// maxTokenizerBytes bounds what is read of a tokenizer; those of large vocabularies have 10 MB.
const maxTokenizerBytes = 64 << 20

// builtInFiles holds the model that `make model` put there before the program was built, if it did.
//
//go:embed static
var builtInFiles embed.FS

// BuiltIn returns the static model that the program was built with, the same one each time, or an error that wraps
// ErrNoModel if it was built without.
var BuiltIn = sync.OnceValues(func() (*Static, error) {
	files, err := fs.Sub(builtInFiles, "static")
	if err != nil {
		return nil, err
	}
	return openStatic(files)
})

// Static embeds a text as the mean of its tokens' vectors, which it looks up in a table: a model of sentences distilled until
// only that was left (WordLlama, model2vec). It knows which words mean alike, and nothing of their order. The table stays
// where it is, in the program's file or in its own, so that memory holds no more than the system's cache of that file. A
// Static may be used by several goroutines.
type Static struct {
	model  string
	tokens tokenizer
	table  *table
	means  sync.Pool // of *mean, with the rows that they have met
	seen   seen
	close  func() error
}

// OpenStatic opens the model in a directory with model.safetensors and tokenizer.json; Close must be called. Its errors wrap
// ErrNoModel if there is none, and else ErrModel.
func OpenStatic(dir string) (*Static, error) {
	model, err := openStatic(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("%w; embeddings.model_dir is %s", err, dir)
	}
	return model, nil
}

func openStatic(files fs.FS) (*Static, error) {
	table, err := files.Open(tableFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s", ErrNoModel, tableFile)
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	s := &Static{close: table.Close}
	if err := s.read(table, files); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Static) read(file fs.File, files fs.FS) error {
	info, err := file.Stat()
	at, ok := file.(io.ReaderAt)
	if err != nil || !ok {
		return fmt.Errorf("%w: %s cannot be read: %w", ErrModel, tableFile, err)
	}
	if s.table, err = openTable(at, info.Size()); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrModel, tableFile, err)
	}
	described, err := readAtMost(files, tokenizerFile, maxTokenizerBytes)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrModel, err)
	}
	if s.tokens, err = parseTokenizer(described); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrModel, tokenizerFile, err)
	}
	hash := sha256.New()
	hash.Write(described)
	if _, err := io.Copy(hash, io.NewSectionReader(at, 0, info.Size())); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrModel, tableFile, err)
	}
	s.model = fmt.Sprintf("static-%d-%x", s.table.dimensions, hash.Sum(nil)[:6])
	return nil
}

func readAtMost(files fs.FS, name string, bytesMax int64) ([]byte, error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, bytesMax+1))
	if err == nil && int64(len(content)) > bytesMax {
		err = fmt.Errorf("%s has more than %d bytes", name, bytesMax)
	}
	return content, err
}

// Close closes the files of a model that OpenStatic opened.
func (s *Static) Close() error { return s.close() }

// Model names the table and the tokenizer by their hash: vectors of another name must not be compared with these.
func (s *Static) Model() string { return s.model }

// Dimensions returns the length of the vectors.
func (s *Static) Dimensions() int { return s.table.dimensions }

// floor is the cosine from which on two texts have something in common: of texts about other things hardly one in a hundred is
// nearer to a query, and paraphrases are at 0.25 and more.
const floor = 0.15

// Floor is the cosine from which on a text has something in common with a query. What is no word is spelled from pieces, whose mean
// says little and is near to something else that is spelled: so it rises with the number of pieces a word.
func (s *Static) Floor(query string) float64 {
	pieces, words := len(s.tokens.tokenize(query, nil)), len(strings.Fields(query))
	return floor * max(1, float64(pieces)/float64(max(1, words)))
}

// Embed returns a vector of length 1 for each text, the zero vector for a text without tokens; equal texts may share one. Its
// errors wrap ErrModel, if the file of the table can no longer be read.
func (s *Static) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	mean, ok := s.means.Get().(*mean)
	if !ok {
		mean = newMean(s.table)
	}
	defer s.means.Put(mean)
	var tokens []uint32
	for i, text := range texts {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		name, vector := s.seen.find(text)
		if vector == nil {
			tokens = s.tokens.tokenize(text, tokens[:0])
			var err error
			if vector, err = mean.direct(tokens); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrModel, err)
			}
			s.seen.keep(name, vector)
		}
		vectors[i] = vector
	}
	return vectors, nil
}

// meanRows is how many rows a mean keeps as numbers: a power of two. With 256 dimensions they take 2 MB.
const meanRows = 2048

// mean sums rows of a table in buffers of its own. Few tokens make up most of a text, so it keeps the rows that it has met
// last, each in the place that its token's lowest bits tell.
type mean struct {
	table *table
	row   []byte
	sums  []float32
	rows  []float32
	of    [meanRows]uint32 // token of the row in a place, plus one
}

func newMean(t *table) *mean {
	return &mean{table: t, row: make([]byte, t.rowBytes()), sums: make([]float32, t.dimensions), rows: make([]float32, meanRows*t.dimensions)}
}

// direct returns the direction of the sum of the tokens' rows, which is that of their mean.
func (m *mean) direct(tokens []uint32) ([]float32, error) {
	clear(m.sums)
	for _, token := range tokens {
		if int(token) >= m.table.rows {
			continue // a token that the tokenizer knows and the table does not
		}
		row, err := m.rowOf(token)
		if err != nil {
			return nil, err
		}
		addRow(m.sums, row)
	}
	return unit(m.sums), nil
}

// addRow adds a row to sums of the same length, four numbers at a time.
func addRow(sums, row []float32) {
	for len(sums) >= 4 && len(row) >= 4 {
		sums[0] += row[0]
		sums[1] += row[1]
		sums[2] += row[2]
		sums[3] += row[3]
		sums, row = sums[4:], row[4:]
	}
	for i, v := range row[:len(sums)] {
		sums[i] += v
	}
}

// rowOf returns the row of a token.
func (m *mean) rowOf(token uint32) ([]float32, error) {
	place := int(token % meanRows)
	row := m.rows[place*m.table.dimensions:][:m.table.dimensions]
	if m.of[place] == token+1 {
		return row, nil
	}
	m.of[place] = 0 // until it is read
	if err := m.table.read(int(token), m.row); err != nil {
		return nil, err
	}
	clear(row)
	if m.table.half {
		addHalf(row, m.row)
	} else {
		addSingle(row, m.row)
	}
	m.of[place] = token + 1
	return row, nil
}

// addHalf adds numbers of 16 bits, four at a time.
func addHalf(sums []float32, row []byte) {
	for len(sums) >= 4 && len(row) >= 8 {
		four := binary.LittleEndian.Uint64(row)
		sums[0] += half(uint32(four))
		sums[1] += half(uint32(four >> 16))
		sums[2] += half(uint32(four >> 32))
		sums[3] += half(uint32(four >> 48))
		sums, row = sums[4:], row[8:]
	}
	for i := range sums {
		sums[i] += half(uint32(binary.LittleEndian.Uint16(row[2*i:])))
	}
}

// half is the number that the low 16 bits are in IEEE 754 binary16. The exponent is moved to where binary32 has it, and a factor
// corrects its offset; subnormal numbers come out right by that, too.
func half(h uint32) float32 {
	return float32(math.Float32frombits(h&0x8000<<16|h&0x7fff<<13) * 0x1p112) // rounded before a sum, on every machine alike
}

func addSingle(sums []float32, row []byte) {
	for i := range sums {
		sums[i] += math.Float32frombits(binary.LittleEndian.Uint32(row[4*i:]))
	}
}

// unit is a vector of length 1 in the direction of sums, or the zero vector.
func unit(sums []float32) []float32 {
	var square float64
	for _, v := range sums {
		square += float64(float64(v) * float64(v)) // rounded before the sum, on every machine alike
	}
	vector := make([]float32, len(sums))
	if square == 0 || math.IsInf(square, 0) || math.IsNaN(square) {
		return vector
	}
	length := math.Sqrt(square)
	for i, v := range sums {
		vector[i] = float32(float64(v) / length)
	}
	return vector
}
