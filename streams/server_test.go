package streams

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

func TestDataDirectoryIsLocked(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir, smallConfig())
	_, err := StartServer(testContext(t), ServerConfig{DataDir: dir})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d ", os.Getpid())) {
		t.Errorf("error is %v; want ErrLocked with the holder's process id", err)
	}
	n.stop(t)
	startNode(t, dir, smallConfig())
}

func TestServerThatCannotStartSaysWhy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	occupied := t.TempDir()
	if err := os.MkdirAll(filepath.Join(occupied, storeDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(occupied, storeDir, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cfg  ServerConfig
		says string
	}{
		"no directory":   {ServerConfig{}, "no data directory"},
		"a file":         {ServerConfig{DataDir: file}, "not a directory"},
		"store occupied": {ServerConfig{DataDir: occupied}, "jetstream: not a directory"},
		"unknown key":    {ServerConfig{DataDir: t.TempDir(), Config: []byte("max_paylod: 1")}, "max_paylod"},
		"no such file":   {ServerConfig{DataDir: t.TempDir(), ConfigFile: file + ".conf"}, "file.conf"},
		"listen":         {ServerConfig{DataDir: t.TempDir(), Listen: "4222"}, "4222"},
	} {
		s, err := StartServer(testContext(t), test.cfg)
		if !errors.Is(err, ErrServer) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error is %v; want ErrServer with %q", name, err, test.says)
		}
		if s != nil {
			_ = s.Stop(testContext(t))
		}
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	if _, err := StartServer(ctx, ServerConfig{DataDir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v; want the context's", err)
	}
	startNode(t, dir, smallConfig()) // the directory is free again
}

func TestServerThatDiesIsReported(t *testing.T) {
	server, err := StartServer(testContext(t), ServerConfig{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server.nats.Shutdown()
	if err := <-server.Err(); !errors.Is(err, ErrServer) {
		t.Errorf("error is %v; want ErrServer", err)
	}
	if err := server.Stop(testContext(t)); err != nil {
		t.Error(err)
	}
	if err, more := <-server.Err(); err != nil || more {
		t.Errorf("after Stop: %v", err)
	}
}

func TestServerListensOnlyIfAskedTo(t *testing.T) {
	inside := startNode(t, t.TempDir(), smallConfig())
	if url := inside.server.URL(); url != "" {
		t.Errorf("listens on %s unasked", url)
	}
	server, err := StartServer(testContext(t), ServerConfig{
		DataDir: t.TempDir(), Listen: "127.0.0.1:0", Config: []byte("lame_duck_grace_period: 1ms"),
	})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if err := server.Stop(testContext(t)); err != nil {
		t.Error(err)
	}
}
