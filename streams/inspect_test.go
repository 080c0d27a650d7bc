package streams

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// A consumer whose definition or state is damaged is made anew, and is delivered everything again; what was there is kept.
func TestDamagedConsumerIsMadeAnew(t *testing.T) {
	for _, file := range []string{"o.dat", "meta.inf", "meta.sum"} {
		for how, damage := range map[string]func(t *testing.T, file string){"changed": change, "cut": cut} {
			t.Run(file+" "+how, func(t *testing.T) {
				dir := t.TempDir()
				n := startNode(t, dir, smallConfig())
				publishAndTake(t, n, 10)
				n.stop(t)
				damage(t, filepath.Join(streamDir(dir, StreamBronze), consumersDir, ConsumerSilver, file))
				n = startNode(t, dir, smallConfig())
				consumer, err := n.SilverConsumer(testContext(t))
				if err != nil {
					t.Fatal(err)
				}
				if pending := consumer.CachedInfo().NumPending; pending != 10 {
					t.Errorf("%d frames are delivered again, want 10", pending)
				}
				kept, _ := filepath.Glob(filepath.Join(dir, storeDir, asideDir, "*", "$G", streamsDir, StreamBronze, consumersDir, ConsumerSilver))
				if len(kept) != 1 {
					t.Errorf("kept are %v", kept)
				}
			})
		}
	}
}

// The log does not start without a stream that has messages; the error says what to do, and that helps.
func TestDamagedStreamIsRefused(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, file string){"changed": change, "cut": cut, "removed": remove} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			n := startNode(t, dir, smallConfig())
			publishAndTake(t, n, 10)
			n.stop(t)
			definition := filepath.Join(streamDir(dir, StreamBronze), "meta.inf")
			damage(t, definition)
			_, err := StartServer(testContext(t), ServerConfig{DataDir: dir})
			if !errors.Is(err, ErrServer) || !strings.Contains(err.Error(), definition) || !strings.Contains(err.Error(), "backup") {
				t.Fatalf("error is %v; want ErrServer that names %s and a remedy", err, definition)
			}
			other := t.TempDir()
			startNode(t, other, smallConfig()).stop(t)
			if err := os.RemoveAll(definition); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"meta.inf", "meta.sum"} {
				content, err := os.ReadFile(filepath.Join(streamDir(other, StreamBronze), name))
				if err == nil {
					err = os.WriteFile(filepath.Join(streamDir(dir, StreamBronze), name), content, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if all := replayAll(t, startNode(t, dir, smallConfig()).Log); len(all) != 10 {
				t.Errorf("%d frames are left, want 10", len(all))
			}
		})
	}
}

// A crash may leave a stream half made; it has nothing yet.
func TestHalfMadeStreamIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(streamDir(dir, StreamBronze), messagesDir), 0o700); err != nil {
		t.Fatal(err)
	}
	publishAndTake(t, startNode(t, dir, smallConfig()), 1)
}

// publishAndTake publishes frames, and has the consumer of Silver acknowledge them.
func publishAndTake(t *testing.T, n *node, frames int) {
	t.Helper()
	p := n.NewPublisher(PublisherConfig{})
	if _, err := p.Publish(testContext(t), testFrames("a", frames)...); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	consumer, err := n.SilverConsumer(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	batch, err := consumer.Fetch(frames, jetstream.FetchContext(testContext(t)))
	if err != nil {
		t.Fatal(err)
	}
	for msg := range batch.Messages() {
		if err := msg.DoubleAck(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func change(t *testing.T, file string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	content[0] ^= 0x80
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func cut(t *testing.T, file string) {
	t.Helper()
	if err := os.Truncate(file, 3); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}
