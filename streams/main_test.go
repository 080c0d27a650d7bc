package streams

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"
)

// crashDirEnv makes the test binary the child of TestAcknowledgedFramesSurviveAKill.
const crashDirEnv = "ASSAY_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		publishUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

// testTimeout limits every test: none waits for more than a disk.
const testTimeout = time.Minute

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

// node is a running server with the log open.
type node struct {
	*Log
	server *Server
	nc     *nats.Conn
}

// startNode runs a log in dir until stop is called or the test ends.
func startNode(t testing.TB, dir string, cfg Config) *node {
	t.Helper()
	ctx := testContext(t)
	config, err := os.ReadFile("../nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	server, err := StartServer(ctx, ServerConfig{DataDir: dir, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{server: server}
	t.Cleanup(func() { n.stop(t) })
	if n.nc, err = server.Connect(); err != nil {
		t.Fatal(err)
	}
	if n.Log, err = Open(ctx, n.nc, cfg); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) stop(t testing.TB) {
	t.Helper()
	if n.nc != nil {
		n.nc.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	if err := n.server.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// publisher starts a publisher that is closed, and must close well, at the end of the test.
func (n *node) publisher(t testing.TB, cfg PublisherConfig) *Publisher {
	p := n.NewPublisher(cfg)
	t.Cleanup(func() {
		if err := p.Close(testContext(t)); err != nil {
			t.Error(err)
		}
	})
	return p
}

// testFrame is a frame of one event whose body tells where it belongs.
func testFrame(stream string, position int) *Frame {
	return &Frame{
		Source: SourceSSE, Workflow: "wf/" + stream, ContentType: ContentSSE, Stream: stream,
		Position: uint64(position), Count: 1, Captured: time.Unix(1_700_000_000, int64(position)).UTC(),
		Body: fmt.Appendf(nil, "data: {\"stream\":%q,\"n\":%d}\n\n", stream, position),
	}
}

func testFrames(stream string, n int) []*Frame {
	frames := make([]*Frame, n)
	for i := range frames {
		frames[i] = testFrame(stream, i)
	}
	return frames
}

// smallConfig suits tests: many run on one disk.
func smallConfig() Config {
	cfg := DefaultConfig()
	cfg.MaxBytes = 1 << 30
	return cfg
}

// replayAll reads the whole of BRONZE.
func replayAll(t testing.TB, l *Log) []Stored {
	t.Helper()
	var all []Stored
	for s, err := range l.Replay(testContext(t), ReplayOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}
