package streams

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"assay/streams/streamstest/cluster"
)

// TestAcknowledgedFramesSurviveANode runs the cluster that deploy/nats describes, stops a node while frames are
// published, and expects every acknowledged frame under the sequence it was given.
func TestAcknowledgedFramesSurviveANode(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	nodes := cluster.Start(t, nil)
	nc := nodes.Connect(t)
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
	for _, n := range nodes.Nodes {
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

// TestFetchFromReplicas fetches as the workers do, several at a time, until all is there. Nothing may come twice: what a fetch
// loses on its way comes again after the ack wait only.
func TestFetchFromReplicas(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	nc := cluster.Start(t, nil).Connect(t)
	ctx := testContext(t)
	cfg := smallConfig()
	cfg.Replicas, cfg.AckWait = 3, time.Hour
	log, err := Open(ctx, nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	const frames = 4000
	p := log.NewPublisher(PublisherConfig{})
	if _, err := p.Send(ctx, testFrames("s", frames)...).Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	consumer, err := log.SilverConsumer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for len(seen) < frames {
		fetched, err := Fetch(ctx, consumer, 200)
		if err != nil {
			t.Fatal(err)
		}
		for msg := range fetched.Messages() {
			meta, err := msg.Metadata()
			if err != nil || seen[meta.Sequence.Stream] {
				t.Fatalf("%+v came twice, or %v", meta, err)
			}
			seen[meta.Sequence.Stream] = true
			if err := msg.Ack(); err != nil {
				t.Fatal(err)
			}
		}
		if err := fetched.Err(); err != nil || ctx.Err() != nil {
			t.Fatalf("%d of %d frames came: %v", len(seen), frames, err)
		}
		fetched.Close()
	}

	cfg.Replicas, cfg.MaxBytes, cfg.AckWait, cfg.Reading = 1, 2*cfg.MaxBytes, time.Minute, true
	reader, err := Open(ctx, nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	silver, err := reader.SilverConsumer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	state, err := reader.State().Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	stream, wait := reader.Bronze().CachedInfo().Config, silver.CachedInfo().Config.AckWait
	if stream.Replicas != 3 || stream.MaxBytes != smallConfig().MaxBytes || wait != time.Hour || state.Config().Replicas != 3 {
		t.Errorf("who came to read changed the log to %+v, the consumer to %v", stream, wait)
	}
}

// A stream whose limit exceeds what the servers have room for is refused at once, and by name.
func TestNoRoomInTheCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	nc := cluster.Start(t, func(o *server.Options) { o.JetStreamMaxStore = 2 << 30 }).Connect(t)
	cfg := smallConfig()
	cfg.Replicas, cfg.MaxBytes = 3, 32<<30
	_, err := Open(testContext(t), nc, cfg)
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), StreamBronze) || !strings.Contains(err.Error(), "max_file_store") {
		t.Fatalf("%v", err)
	}
}

// The same on three servers, one of which stops meanwhile: two servers compare what they store as one does.
func TestForwardedFramesAreStoredOnceByACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	nodes := cluster.Start(t, nil)
	cfg := smallConfig()
	cfg.Replicas, cfg.DuplicateWindow = 3, 100*time.Millisecond
	log, err := Open(testContext(t), nodes.Connect(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	w, err := log.EdgeWriter("c")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(testContext(t), edgeMsgs("c", 1, 3)); err != nil {
		t.Fatal(err)
	}
	leader := log.Bronze().CachedInfo().Cluster.Leader
	for _, n := range nodes.Nodes {
		if n.Name() == leader {
			go n.Shutdown()
		}
	}
	testForwardedOnce(t, log, 200)
	inOrder(t, forwarded(t, log)["c"], 3)
}

// Of several that change one key at the same time from the same revision one succeeds, and the others are told that it did.
func TestConflictsInACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	ctx := testContext(t)
	cfg := smallConfig()
	cfg.Replicas = 3
	log, err := Open(ctx, cluster.Start(t, nil).Connect(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	revision, err := log.State().Put(ctx, "key", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		var writers sync.WaitGroup
		var mu sync.Mutex
		var won []uint64
		for range 8 {
			writers.Go(func() {
				next, err := log.State().Update(ctx, "key", []byte("value"), revision)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won = append(won, next)
				} else if !IsConflict(err) {
					t.Errorf("who was too late is told %v", err)
				}
			})
		}
		writers.Wait()
		if len(won) != 1 {
			t.Fatalf("%d of them have changed it", len(won))
		}
		revision = won[0]
	}
}
