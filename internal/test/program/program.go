// Package program builds servers that tests need from their Go modules, and waits until they listen.
package program

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"testing"
	"time"
)

const (
	// buildTimeout bounds a build: a minute of computing the first time, seconds later.
	buildTimeout = 10 * time.Minute
	// look is how often it is looked whether something listens.
	look = 50 * time.Millisecond
)

// Build builds the command in a folder of a module, or finds it in the go command's cache, and returns where it is. Where the module
// cannot be had, the test is skipped.
func Build(t *testing.T, module, version, folder string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	dir := t.TempDir()
	run := func(args ...string) ([]byte, error) {
		command := exec.CommandContext(ctx, "go", args...)
		command.Dir, command.Env = dir, append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
		return command.CombinedOutput()
	}
	if out, err := run("mod", "download", module+"@"+version); err != nil {
		t.Skipf("%s cannot be fetched: %v: %s", module, err, out)
	}
	if out, err := run("install", module+"/"+folder+"@"+version); err != nil {
		t.Fatalf("%s cannot be built: %v: %s", module, err, out)
	}
	return filepath.Join(dir, path.Base(folder))
}

// FreeAddress is a local address at which nothing listens.
func FreeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// Await returns once something accepts connections at an address.
func Await(t *testing.T, address string, within time.Duration) {
	t.Helper()
	tick := time.NewTicker(look)
	defer tick.Stop()
	deadline := time.After(within)
	for {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("nothing listens at %s: %v", address, err)
		}
	}
}
