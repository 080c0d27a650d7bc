// Package gateway runs an S3 server over a folder, built from its Go module, and a network before it that loses, delays and cuts
// what goes through:
//
//	store ──► Network (503, cut, late, slow) ──► Gateway (versitygw) ──► folder
package gateway

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	module  = "github.com/versity/versitygw"
	version = "v1.8.0"

	buildTimeout = 10 * time.Minute
	startTimeout = time.Minute
)

// Bucket is the one that there is.
const Bucket = "memory"

// Gateway is a server that can be stopped and started again.
type Gateway struct {
	Folder string // what it keeps, a folder below for each bucket

	program, listen string
	process         *exec.Cmd
}

// Start starts a server over a new folder, until the test ends. Where the module cannot be had, the test is skipped.
func Start(t *testing.T) *Gateway {
	t.Helper()
	if testing.Short() {
		t.Skip("builds an S3 server")
	}
	g := &Gateway{Folder: t.TempDir(), program: build(t), listen: freeAddress(t)}
	if err := os.Mkdir(filepath.Join(g.Folder, Bucket), 0o755); err != nil {
		t.Fatal(err)
	}
	g.Restart(t)
	t.Cleanup(g.Kill)
	return g
}

// URL is where it listens.
func (g *Gateway) URL() string { return "http://" + g.listen }

// Options reach the server at an address, which may be a Network's, in the keys of the crate object_store.
func Options(address string) map[string]string {
	return map[string]string{
		"access_key_id": "key", "secret_access_key": "secretsecret", "region": "us-east-1", "endpoint": address, "allow_http": "true",
		"retry_timeout_s": "3",
	}
}

// Kill ends the server as a crash does; what it keeps stays.
func (g *Gateway) Kill() {
	if g.process == nil {
		return
	}
	_ = g.process.Process.Signal(syscall.SIGKILL)
	_ = g.process.Wait()
	g.process = nil
}

// Restart starts it again at the same address.
func (g *Gateway) Restart(t *testing.T) {
	t.Helper()
	g.process = exec.CommandContext(context.WithoutCancel(t.Context()), g.program, "--quiet", "--port", g.listen, "posix", g.Folder)
	g.process.Env = append(os.Environ(), "ROOT_ACCESS_KEY=key", "ROOT_SECRET_KEY=secretsecret")
	g.process.Stdout, g.process.Stderr = t.Output(), t.Output()
	if err := g.process.Start(); err != nil {
		t.Fatal(err)
	}
	awaitPort(t, g.listen)
}

// build builds the server, or finds it in the go command's cache.
func build(t *testing.T) string {
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
		t.Skipf("the S3 server cannot be fetched: %v: %s", err, out)
	}
	if out, err := run("install", module+"/cmd/versitygw@"+version); err != nil {
		t.Fatalf("the S3 server cannot be built: %v: %s", err, out)
	}
	return filepath.Join(dir, "versitygw")
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// awaitPort returns once something accepts connections there.
func awaitPort(t *testing.T, address string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(startTimeout)
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
