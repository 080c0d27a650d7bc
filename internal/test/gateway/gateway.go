// Package gateway runs an S3 server over a folder, built from its Go module, and a network before it that loses, delays and cuts
// what goes through:
//
//	store ──► Network (503, cut, late, slow) ──► Gateway (versitygw) ──► folder
package gateway

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"assay/internal/test/program"
)

const (
	module  = "github.com/versity/versitygw"
	version = "v1.8.0"

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
func Start(t testing.TB) *Gateway {
	t.Helper()
	if testing.Short() {
		t.Skip("builds an S3 server")
	}
	g := &Gateway{Folder: t.TempDir(), program: program.Build(t, module, version, "cmd/versitygw"), listen: program.FreeAddress(t)}
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
func (g *Gateway) Restart(t testing.TB) {
	t.Helper()
	g.process = exec.CommandContext(context.WithoutCancel(t.Context()), g.program, "--quiet", "--port", g.listen, "posix", g.Folder)
	g.process.Env = append(os.Environ(), "ROOT_ACCESS_KEY=key", "ROOT_SECRET_KEY=secretsecret")
	g.process.Stdout, g.process.Stderr = t.Output(), t.Output()
	if err := g.process.Start(); err != nil {
		t.Fatal(err)
	}
	program.Await(t, g.listen, startTimeout)
}
