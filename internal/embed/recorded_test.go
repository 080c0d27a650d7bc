package embed

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Over all recorded texts the vectors are those that the model's own libraries give.
func TestRecordedTextsHaveTheVectorsOfTheOriginal(t *testing.T) {
	python := os.Getenv("TEST_TOKENIZERS_PYTHON")
	if python == "" {
		t.Skip("set TEST_TOKENIZERS_PYTHON to a Python with numpy and tokenizers")
	}
	model := builtIn(t)
	texts := recordedTexts(t)
	var asked bytes.Buffer
	for _, text := range texts {
		line, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		asked.Write(append(line, '\n'))
	}
	original := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "wordllama.py"), "static")
	original.Stdin, original.Stderr = &asked, os.Stderr
	answer, err := original.Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := json.NewDecoder(bytes.NewReader(answer))
	least := 1.0
	for i, vector := range staticVectors(t, model, texts...) {
		var want []float32
		if err := answers.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if same := cosine(vector, want); same < 0.999 {
			t.Errorf("text %d, %.80q: cosine %.4f", i, texts[i], same)
		} else {
			least = min(least, same)
		}
	}
	t.Logf("%d texts, least cosine %.6f", len(texts), least)
}

// recordedTexts are the lines of the recordings beside the repository, cut as long texts are.
func recordedTexts(t *testing.T) (texts []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "*", "*.[ns]*"))
	if err != nil || len(files) == 0 {
		t.Skip("no recordings at ../shared/data beside the repository")
	}
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			if text := lines.Text(); text != "" {
				texts = append(texts, strings.ToValidUTF8(text[:min(len(text), 2000)], ""))
			}
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return texts
}
