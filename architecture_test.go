package assay

import (
	"os"
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
