package npm

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// conformanceVersion is the release of npm's @modelcontextprotocol/conformance that servers are held against; it needs a newer Node.js
// than many systems have, which npm has too.
const (
	conformanceVersion = "0.1.16"
	conformanceNode    = "22"
)

// Suite is the official conformance suite for servers of the Model Context Protocol.
type Suite struct{ node, program string }

// Conformance returns the suite. It skips the test where that cannot be installed.
func Conformance(t *testing.T) Suite {
	t.Helper()
	modules := filepath.Join(Packages(t, "mcp-conformance-"+conformanceVersion,
		"@modelcontextprotocol/conformance@"+conformanceVersion, "node@"+conformanceNode), "node_modules")
	return Suite{filepath.Join(modules, ".bin", "node"), filepath.Join(modules, "@modelcontextprotocol", "conformance", "dist", "index.js")}
}

// Check runs every scenario against a server at url, for each version of the protocol that the suite has. It fails the test for what
// fails and is not listed in the file of expected failures, and for what is listed there and passes; "" lists none.
func (s Suite) Check(t *testing.T, url, expected string) {
	t.Helper()
	for _, version := range []string{"2025-06-18", "2025-11-25"} {
		arguments := []string{s.program, "server", "--url", url, "--spec-version", version, "--output-dir", t.TempDir()}
		if expected != "" {
			arguments = append(arguments, "--expected-failures", expected)
		}
		if out, err := exec.CommandContext(t.Context(), s.node, arguments...).CombinedOutput(); err != nil {
			t.Errorf("version %s: %v\n%s", version, err, out)
		}
	}
}
