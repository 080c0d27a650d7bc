package chaos

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Build builds the program of the module at root, with its fault points, into dir. The native library must be there.
func Build(ctx context.Context, root, dir string, flags ...string) (binary string, err error) {
	binary = filepath.Join(dir, "assay")
	args := append([]string{"build", "-tags", "faults", "-ldflags", "-s -w", "-o", binary}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/assay")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("torture: build the program: %w: %s", err, out)
	}
	return binary, nil
}
