package assay

import (
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"
)

// The files that ARCHITECTURE.md names are there: by their path, or below the folder or beside the file named before on the same line.
func TestArchitectureNamesFilesThatAreThere(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	exists := func(file string) bool {
		_, err := os.Stat(file)
		return err == nil
	}
	quoted, named := regexp.MustCompile("`([^`\\s]+)`"), 0
	for line := range strings.Lines(string(text)) {
		folder, beside := "", ""
		for _, match := range quoted.FindAllStringSubmatch(line, -1) {
			name := match[1]
			if strings.HasSuffix(name, "/") {
				folder = name
			}
			if !strings.HasSuffix(name, ".go") {
				continue
			}
			named++
			switch {
			case exists(name):
				beside = path.Dir(name)
			case folder != "" && exists(path.Join(folder, name)):
			case beside != "" && exists(path.Join(beside, name)):
			case exists(path.Join("consumers/gold", name)): // in the paragraph about it
			default:
				t.Errorf("there is no %s: %s", name, line)
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d files are named", named)
	}
}

// Imports point one way, as ARCHITECTURE.md draws it, and only what links the native library imports what does: all else builds and
// tests without it.
func TestImportsPointOneWay(t *testing.T) {
	const native = "assay/sovereign"
	links := regexp.MustCompile(`^assay/(sovereign|memory|cmd/assay|internal/lance|internal/test/chaos)$`)
	allowed := map[string]*regexp.Regexp{ // what packages below a path may import of ours
		"assay/kernels":          regexp.MustCompile(`^$`),
		"assay/sovereign/schema": regexp.MustCompile(`^$`),
		"assay/streams":          regexp.MustCompile(`^assay($|/kernels$|/streams($|/)|/internal/test/program$)`), // the last for streamstest
		"assay/consumers":        regexp.MustCompile(`^assay/(kernels$|streams$|consumers/|sovereign/schema$|internal/(capture/(formats|framing|mapping)|failpoint|price)$)`),
		"assay/internal":         regexp.MustCompile(`^assay($|/(kernels|streams|consumers|sovereign|internal)($|/))`),
	}
	listed, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(listed)) {
		words := strings.Fields(line)
		for _, imported := range words[1:] {
			if (imported == native || imported == "C") && !links.MatchString(words[0]) {
				t.Errorf("%s imports %s, which needs the native library", words[0], imported)
			}
			for path, may := range allowed {
				below := words[0] == path || strings.HasPrefix(words[0], path+"/")
				if ours := strings.HasPrefix(imported+"/", "assay/"); below && ours && !may.MatchString(imported) {
					t.Errorf("%s imports %s, which stands above it", words[0], imported)
				}
			}
		}
	}
}
