//go:build faults

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"assay/internal/failpoint"
)

// Killed at any step of forgetting, the program ends it when it is started again.
func TestKilledAtEachStepOfForgetting(t *testing.T) {
	t.Parallel()
	for _, point := range failpoint.Forgetting {
		for _, pass := range []int{1, 3} {
			if pass > 1 && point != "forget: between steps" {
				continue
			}
			t.Run(fmt.Sprintf("%s:%d", point, pass), func(t *testing.T) {
				t.Parallel()
				input, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
				summarise(t, ingestArgs(data, []string{part(t, input, 0), part(t, input, 1), mixed(t, input, 2)}))
				cmd := command(t.Context(), "forget", "sample-0-session", "--data", data, "--abandon", "--bronze")
				cmd.Env = append(cmd.Env, fmt.Sprintf("FAULT_POINT=%s:%d", point, pass))
				if err := cmd.Run(); err == nil || !strings.Contains(err.Error(), "killed") {
					t.Fatalf("it was to be killed, and ended with %v", err)
				}
				checkForgotten(t, data, "sample-0-ev-")
				checkForgotten(t, data, "sample-0- said thing")
				checkFiles(t, data, "sample-0- said thing")
			})
		}
	}
}
