package embed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func builtIn(t testing.TB) *Static {
	t.Helper()
	model, err := BuiltIn()
	if errors.Is(err, ErrNoModel) {
		t.Skip("no model here: make model")
	} else if err != nil {
		t.Fatal(err)
	}
	return model
}

func staticVectors(t testing.TB, model *Static, texts ...string) [][]float32 {
	t.Helper()
	vectors, err := model.Embed(context.Background(), texts)
	if err != nil {
		t.Fatal(err)
	}
	return vectors
}

// testdata/wordllama.json has what the libraries that the model was made with say of texts with all that is awkward.
func TestTokensAndVectorsAreThoseOfTheOriginal(t *testing.T) {
	model := builtIn(t)
	content, err := os.ReadFile("testdata/wordllama.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Text   string
		Tokens []uint32
		Vector []float32
	}
	if err := json.Unmarshal(content, &cases); err != nil || len(cases) == 0 {
		t.Fatal(err)
	}
	for _, c := range cases {
		if got := model.tokens.tokenize(c.Text, nil); !slices.Equal(got, c.Tokens) {
			t.Errorf("%q has the tokens %v, want %v", c.Text, got, c.Tokens)
		}
		for i, got := range staticVectors(t, model, c.Text)[0][:len(c.Vector)] {
			if math.Abs(float64(got-c.Vector[i])) > 2e-6 {
				t.Errorf("%q: number %d is %g, want %g", c.Text, i, got, c.Vector[i])
			}
		}
	}
}

func TestMeaningIsFoundWithoutSharedWords(t *testing.T) {
	model := builtIn(t)
	v := staticVectors(t, model, "compilation failed: insufficient RAM", "The build broke since the linker ran out of memory.",
		"The invoice was paid twice by mistake.", "Rain is expected in Paris over the weekend.")
	if near := cosine(v[0], v[1]); near < cosine(v[0], v[2])+0.05 || near < cosine(v[0], v[3])+0.05 {
		t.Errorf("similarities %.3f, %.3f, %.3f", near, cosine(v[0], v[2]), cosine(v[0], v[3]))
	}
}

// A text takes time in proportion to its length, whatever is in it: a run of characters that could all be one token's is cut.
// What is no word is spelled from pieces, which are near to something else that is.
func TestTheFloorRisesForWhatIsNoWord(t *testing.T) {
	model := builtIn(t)
	for _, query := range []string{"zxqv blorptang wimfle", "asdkjh qweoiu zmxncb", "florbish grunkel", "kjhgfds"} {
		if got := model.Floor(query); got < 2*floor {
			t.Errorf("%q: %.2f", query, got)
		}
	}
	for _, query := range []string{"why does the test fail", "which file was changed", "users cannot log in", ""} {
		if got := model.Floor(query); got > 1.2*floor {
			t.Errorf("%q: %.2f", query, got)
		}
	}
}

func TestALongRunIsMergedInParts(t *testing.T) {
	model := builtIn(t)
	text := strings.Repeat("a", 100*runMax)
	if n := len(model.tokens.tokenize(text, nil)); n < len(text)/16 || n > len(text)/2 {
		t.Errorf("%d tokens of %d characters", n, len(text))
	}
}

// writeModel writes a model of three dimensions.
func writeModel(t testing.TB, header, rows, tokenizer string) string {
	t.Helper()
	dir := t.TempDir()
	length := []byte{byte(len(header)), byte(len(header) >> 8), 0, 0, 0, 0, 0, 0}
	for name, content := range map[string]string{tableFile: string(length) + header + rows, tokenizerFile: tokenizer} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	// Two numbers a row: (1, 0), (0, 1), (-2, 0.5), (subnormal 2^-24, 0).
	halfHeader = `{"embeddings":{"dtype":"F16","shape":[4,2],"data_offsets":[0,16]}}`
	halfRows   = "\x00\x3c\x00\x00" + "\x00\x00\x00\x3c" + "\x00\xc0\x00\x38" + "\x01\x00\x00\x00"
	wordPieces = `{"normalizer":{"type":"BertNormalizer","lowercase":true,"strip_accents":null},"pre_tokenizer":{"type":"BertPreTokenizer"},
		"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,
		"vocab":{"cafe":0,"bar":1,"##s":2,"?":3,"[UNK]":4}}}`
)

func TestModelOfADirectory(t *testing.T) {
	model, err := OpenStatic(writeModel(t, halfHeader, halfRows, wordPieces))
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	if got := model.tokens.tokenize("Café, BARS 漢 nothing?", nil); !slices.Equal(got, []uint32{0, 1, 2, 3}) {
		t.Errorf("tokens %v", got)
	}
	v := staticVectors(t, model, "café", "bar", "bars", "?", "unheard")
	length := math.Sqrt(4 + 1.5*1.5)
	for i, want := range [][2]float64{{1, 0}, {0, 1}, {-2 / length, 1.5 / length}, {1, 0}, {0, 0}} {
		if math.Abs(float64(v[i][0])-want[0]) > 1e-6 || math.Abs(float64(v[i][1])-want[1]) > 1e-6 {
			t.Errorf("vector %d is %v, want %v", i, v[i], want)
		}
	}
	if model.Dimensions() != 2 || !strings.HasPrefix(model.Model(), "static-2-") {
		t.Errorf("model %s of %d dimensions", model.Model(), model.Dimensions())
	}
}

func TestModelsThatCannotBeUsed(t *testing.T) {
	if _, err := OpenStatic(t.TempDir()); !errors.Is(err, ErrNoModel) || !strings.Contains(err.Error(), "embeddings.model_dir") {
		t.Errorf("an empty directory: %v", err)
	}
	for name, c := range map[string][3]string{
		"cut off":             {halfHeader, halfRows[:8], wordPieces},
		"no safetensors":      {strings.Repeat("x", 300), "", wordPieces},
		"several tensors":     {`{"a":{"dtype":"F16","shape":[4,2],"data_offsets":[0,16]},"weights":{}}`, halfRows, wordPieces},
		"no matrix":           {`{"a":{"dtype":"F16","shape":[8],"data_offsets":[0,16]}}`, halfRows, wordPieces},
		"negative":            {`{"a":{"dtype":"F16","shape":[4,2],"data_offsets":[-80,16]}}`, halfRows, wordPieces},
		"other numbers":       {`{"a":{"dtype":"I8","shape":[8,2],"data_offsets":[0,16]}}`, halfRows, wordPieces},
		"no vocabulary":       {halfHeader, halfRows, `{"model":{"type":"BPE"}}`},
		"other tokenizer":     {halfHeader, halfRows, `{"model":{"type":"Unigram","vocab":{"a":1}}}`},
		"unknown merge":       {halfHeader, halfRows, `{"model":{"type":"BPE","vocab":{"a":1},"merges":["a b"]}}`},
		"half a merge":        {halfHeader, halfRows, `{"model":{"type":"BPE","vocab":{"a":1},"merges":["a"]}}`},
		"cut beforehand":      {halfHeader, halfRows, `{"pre_tokenizer":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":1}}}`},
		"no bytes":            {halfHeader, halfRows, `{"model":{"type":"BPE","byte_fallback":true,"vocab":{"a":1}}}`},
		"unknown normalizer":  {halfHeader, halfRows, `{"normalizer":{"type":"NFKC"},"model":{"type":"BPE","vocab":{"a":1}}}`},
		"words of no letters": {halfHeader, halfRows, `{"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"type":"WordPiece","vocab":{"a":1}}}`},
	} {
		if _, err := OpenStatic(writeModel(t, c[0], c[1], c[2])); !errors.Is(err, ErrModel) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzTokenizerFile(f *testing.F) {
	f.Add([]byte(wordPieces), "Café bars")
	f.Add([]byte(`{"normalizer":{"type":"Prepend","prepend":"_"},"model":{"type":"BPE","vocab":{"a":1,"b":2,"ab":3},"merges":["a b",["ab","a"]]}}`), "a ab")
	f.Fuzz(func(t *testing.T, described []byte, text string) {
		if tokens, err := parseTokenizer(described); err == nil {
			tokens.tokenize(text, nil)
		}
	})
}

func TestRememberedVectorsAreBounded(t *testing.T) {
	model, err := OpenStatic(writeModel(t, halfHeader, halfRows, wordPieces))
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	first := staticVectors(t, model, "cafe bars")
	for i := range 3 * seenMax {
		staticVectors(t, model, fmt.Sprintf("bars %d", i), "cafe bars")
		if n := len(model.seen.young) + len(model.seen.old); n > 2*seenMax {
			t.Fatalf("%d texts are remembered", n)
		}
	}
	if again := staticVectors(t, model, "cafe bars"); &again[0][0] != &first[0][0] {
		t.Error("a text that came all the time was forgotten")
	}
	staticVectors(t, model, "bars 0")
	if _, vector := model.seen.find("bars 1"); vector != nil {
		t.Error("a text that came long ago is remembered")
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte(halfHeader), []byte(halfRows))
	f.Fuzz(func(t *testing.T, header, rows []byte) {
		if len(header) > 1<<15 {
			return
		}
		model, err := OpenStatic(writeModel(t, string(header), string(rows), wordPieces))
		if err != nil {
			return
		}
		defer model.Close()
		staticVectors(t, model, "cafe bars ?")
	})
}

func BenchmarkStatic(b *testing.B) {
	model := builtIn(b)
	text := "The file missing_colon.py lacks a colon; find it, open it and see what the syntax error might be. Then edit line 42 " +
		"so that the tests of the parser pass again, and submit the patch with a short message."
	text = text[:min(len(text), 195)]
	b.SetBytes(int64(len(text) + 5))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		staticVectors(b, model, fmt.Sprintf("%s%05d", text, i)) // another one each time: none is remembered
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
}
