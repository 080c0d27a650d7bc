// Package program builds servers that tests need from their Go modules, and waits until they listen.
package program

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"sync/atomic"
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
func Build(t testing.TB, module, version, folder string) string {
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

// Ports of what is started by name. They lie below those that the system hands out, so that a server which was killed finds its port
// free when it is started again.
const (
	portsFrom = 20_000
	ports     = 12_000
	portsStep = 257 // between processes whose ids follow each other
)

// handedOut counts the ports that this process was given.
var handedOut atomic.Uint32

// FreePort is a local port on which nothing listens, and which nobody else of this process is given.
func FreePort(t testing.TB) int {
	t.Helper()
	for range ports {
		port := portsFrom + int((uint32(os.Getpid())*portsStep+handedOut.Add(1))%ports)
		if listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addressOf(port)); err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatalf("no port from %d to %d is free", portsFrom, portsFrom+ports)
	return 0
}

// FreeAddress is the address of a free port.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return addressOf(FreePort(t))
}

func addressOf(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Await returns once something accepts connections at an address.
func Await(t testing.TB, address string, within time.Duration) {
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
