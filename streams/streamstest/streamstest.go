// Package streamstest gives tests a log on an embedded server of their own.
package streamstest

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"assay"
	"assay/streams"
)

// timeout limits how long a server takes to start and to stop, and its log to open.
const timeout = time.Minute

// Start starts a server in a directory of the test, with the configuration that Assay ships. It stops when the test ends.
func Start(t testing.TB) *streams.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	server, err := streams.StartServer(ctx, streams.ServerConfig{DataDir: t.TempDir(), Config: assay.NATSConfig})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return server
}

// Connect connects to a server until the test ends.
func Connect(t testing.TB, server *streams.Server) *nats.Conn {
	t.Helper()
	conn, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// Open opens the log of a server through a connection, as it is by default.
func Open(t testing.TB, conn *nats.Conn) *streams.Log {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	log, err := streams.Open(ctx, conn, streams.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// NewLog is the log of a server of its own, until the test ends.
func NewLog(t testing.TB) *streams.Log {
	t.Helper()
	return Open(t, Connect(t, Start(t)))
}
