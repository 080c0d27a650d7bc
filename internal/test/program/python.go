package program

import (
	"os"
	"os/exec"
	"testing"
)

// Python returns the program that the environment variable names, else python3, if it can run a statement that imports what the
// test needs. Where it cannot, the test is skipped, and says what it needs.
func Python(t *testing.T, variable, statement, needs string) string {
	t.Helper()
	python := os.Getenv(variable)
	if python == "" {
		python = "python3"
	}
	if err := exec.CommandContext(t.Context(), python, "-c", statement).Run(); err != nil {
		t.Skipf("no Python with %s; name one with %s: %v", needs, variable, err)
	}
	return python
}
