package streams

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// TestAcknowledgedFramesSurviveANode runs the cluster that deploy/nats describes, stops a node while frames are
// published, and expects every acknowledged frame under the sequence it was given.
func TestAcknowledgedFramesSurviveANode(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	const token = "test"
	t.Setenv("ASSAY_NATS_TOKEN", token)
	nodes := startCluster(t)
	var urls []string
	for _, n := range nodes {
		urls = append(urls, n.ClientURL())
	}
	nc, err := nats.Connect(strings.Join(urls, ","), nats.Token(token), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	cfg := smallConfig()
	cfg.Replicas = 3
	log, err := Open(testContext(t), nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := log.NewPublisher(PublisherConfig{MaxBatch: 50})
	ctx := testContext(t)
	frames := testFrames("s", 1000)
	before, after := p.Send(ctx, frames[:500]...), p.Send(ctx, frames[500:]...)
	if _, err := before.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	leader := log.Bronze().CachedInfo().Cluster.Leader
	for _, n := range nodes {
		if n.Name() == leader {
			n.Shutdown()
		}
	}
	if _, err := after.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	var acks []Ack
	for _, r := range []*Receipt{before, after} {
		acks = append(acks, r.acks...)
	}
	stored := replayAll(t, log)
	if len(stored) != len(frames) {
		t.Errorf("%d frames stored; want %d", len(stored), len(frames))
	}
	for i, s := range stored {
		if s.Frame.Position != uint64(i) || s.Seq != acks[i].Seq {
			t.Fatalf("frame %d is position %d at sequence %d; acknowledged was %+v", i, s.Frame.Position, s.Seq, acks[i])
		}
	}
}

// startCluster runs the three nodes on this machine: names, ports and folders are the test's, all else the files'.
func startCluster(t *testing.T) []*server.Server {
	t.Helper()
	ports := freePorts(t, 3)
	var routes []*url.URL
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	var nodes []*server.Server
	for i, port := range ports {
		opts, err := server.ProcessConfigFile(fmt.Sprintf("../deploy/nats/node-%d.conf", i+1))
		if err != nil {
			t.Fatal(err)
		}
		opts.Host, opts.Port, opts.HTTPHost, opts.HTTPPort = "127.0.0.1", server.RANDOM_PORT, "", 0
		opts.Cluster.Host, opts.Cluster.Port, opts.Routes = "127.0.0.1", port, routes
		opts.StoreDir, opts.NoSigs, opts.NoLog = t.TempDir(), true, true
		node, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		node.Start()
		t.Cleanup(func() {
			node.Shutdown()
			node.WaitForShutdown()
		})
		nodes = append(nodes, node)
	}
	for _, node := range nodes {
		if !node.ReadyForConnections(listenTimeout) {
			t.Fatal("a node is not ready")
		}
	}
	return nodes
}

func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
