// Package cluster gives tests three NATS servers in this process, configured as deploy/nats describes.
package cluster

import (
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"assay/internal/test/program"
)

const (
	token = "test"
	// readyTimeout limits how long a node takes to listen.
	readyTimeout = 30 * time.Second
)

// Cluster is three servers that know each other.
type Cluster struct{ Nodes []*server.Server }

// Start runs the three nodes on this machine until the test ends: names, ports and folders are the test's, all else the
// files'. change, if not nil, changes the options of each node.
func Start(t testing.TB, change func(*server.Options)) *Cluster {
	t.Helper()
	t.Setenv("ASSAY_NATS_TOKEN", token)
	ports := freePorts(t, 3)
	routes := make([]*url.URL, 0, len(ports))
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	c := &Cluster{}
	for i, port := range ports {
		opts, err := server.ProcessConfigFile(filepath.Join(root(), "deploy", "nats", fmt.Sprintf("node-%d.conf", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		opts.Host, opts.Port, opts.HTTPHost, opts.HTTPPort = "127.0.0.1", server.RANDOM_PORT, "", 0
		opts.Cluster.Host, opts.Cluster.Port, opts.Routes = "127.0.0.1", port, routes
		opts.StoreDir, opts.NoSigs, opts.NoLog = t.TempDir(), true, true
		if change != nil {
			change(opts)
		}
		node, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		node.Start()
		t.Cleanup(func() {
			node.Shutdown()
			node.WaitForShutdown()
		})
		c.Nodes = append(c.Nodes, node)
	}
	for _, node := range c.Nodes {
		if !node.ReadyForConnections(readyTimeout) {
			t.Fatal("a node is not ready")
		}
	}
	return c
}

// URL is where all nodes are reached, with the token.
func (c *Cluster) URL() string {
	urls := make([]string, 0, len(c.Nodes))
	for _, n := range c.Nodes {
		urls = append(urls, strings.Replace(n.ClientURL(), "nats://", "nats://"+token+"@", 1))
	}
	return strings.Join(urls, ",")
}

// Connect connects to all nodes until the test ends.
func (c *Cluster) Connect(t testing.TB) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(c.URL(), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// root is the folder of the module.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		ports[i] = program.FreePort(t)
	}
	return ports
}
