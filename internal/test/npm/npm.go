// Package npm installs packages of npm for tests, once on a machine.
package npm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// installTimeout bounds the one installation of a package on a machine.
const installTimeout = 2 * time.Minute

// Packages returns the folder, in the user's cache directory, into which packages of npm are installed once. It skips the test
// where that cannot be.
func Packages(t *testing.T, name string, packages ...string) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not here:", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip("there is no place to install packages of npm:", err)
	}
	dir := filepath.Join(cache, "assay", "test", name)
	if err := install(t.Context(), dir, packages...); err != nil {
		t.Skip(name, "cannot be installed:", err)
	}
	return dir
}

// install puts packages into dir unless it is there; whoever comes at the same time waits.
func install(ctx context.Context, dir string, packages ...string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(dir), "unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unfinished)
	ctx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", append([]string{"install", "--no-audit", "--no-fund", "--prefix", unfinished}, packages...)...)
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return os.Rename(unfinished, dir)
}
