package promotion

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/silver"
	"assay/streams"
)

// bed is what outlives a Publisher: a NATS server with the stream and the bucket, and the store.
type bed struct {
	t      *testing.T
	server *server.Server
	js     jetstream.JetStream
	store  *memoryStore

	mu   sync.Mutex
	dead []*nats.Msg
}

func newBed(t *testing.T) *bed {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		JetStream: true, StoreDir: t.TempDir(), DontListen: true, NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	b := &bed{t: t, server: s, store: newMemoryStore()}
	b.js = b.connect().js
	_, err = b.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "PROMOTION", Subjects: []string{"promotion.>"}, Retention: jetstream.WorkQueuePolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.js.CreateConsumer(t.Context(), "PROMOTION", jetstream.ConsumerConfig{
		Durable: "promotion", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Second, MaxAckPending: 4 * fetchMessagesMax,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "publications", LimitMarkerTTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := b.js.Stream(t.Context(), "KV_publications")
	if err != nil {
		t.Fatal(err)
	}
	config := bucket.CachedInfo().Config
	config.AllowAtomicPublish = true
	if _, err := b.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	return b
}

// link is one process's connection to the server.
type link struct {
	nc *nats.Conn
	js jetstream.JetStream
}

func (b *bed) connect() link {
	b.t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(b.server))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		b.t.Fatal(err)
	}
	return link{nc, js}
}

// options are those of a Publisher with a connection of its own.
func (b *bed) options(r Registry) Options {
	b.t.Helper()
	l := b.connect()
	stream, err := l.js.Consumer(b.t.Context(), "PROMOTION", "promotion")
	if err != nil {
		b.t.Fatal(err)
	}
	kv, err := l.js.KeyValue(b.t.Context(), "publications")
	if err != nil {
		b.t.Fatal(err)
	}
	return Options{
		Stream: stream, KV: kv, Log: bedLog{b, l.js}, Store: b.store, Registry: r, Instance: "test", Timeout: time.Second,
		Logger: slog.New(slog.NewTextHandler(b.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// bedLog is the log over a connection; the bed keeps the dead letters.
type bedLog struct {
	*bed
	js jetstream.JetStream
}

func (l bedLog) CreatePublications(ctx context.Context, entries []streams.Entry) (uint64, error) {
	return streams.CreateEntries(ctx, l.js, "publications", entries)
}

func (l bedLog) PublishMsgs(_ context.Context, letters ...*nats.Msg) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = append(l.dead, letters...)
	return nil
}

// start runs a Publisher until stop is called, which returns when Run has.
func (b *bed) start(o Options) (p *Publisher, stop func()) {
	b.t.Helper()
	p, err := New(o)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	})
	b.t.Cleanup(stop)
	return p, stop
}

// settle waits until nothing could be done now. Busy asks the server, so this loop is paced by it.
func (b *bed) settle(p *Publisher) {
	b.t.Helper()
	for {
		busy, err := p.Busy(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		if !busy {
			return
		}
	}
}

// run starts a Publisher, lets it do all that can be done, and stops it.
func (b *bed) run(o Options) Counts {
	b.t.Helper()
	p, stop := b.start(o)
	b.settle(p)
	stop()
	return b.counts(p)
}

func (b *bed) counts(p *Publisher) Counts {
	b.t.Helper()
	c, err := p.Counts(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// entries returns the keys in the bucket.
func (b *bed) entries() []string {
	b.t.Helper()
	kv, err := b.js.KeyValue(b.t.Context(), "publications")
	if err != nil {
		b.t.Fatal(err)
	}
	list, err := kv.ListKeys(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	var keys []string
	for key := range list.Keys() {
		keys = append(keys, key)
	}
	return keys
}

// send publishes promotions with the numbers from..to-1 to the stream.
func (b *bed) send(from, to int) {
	b.t.Helper()
	for i := from; i < to; i++ {
		b.sendRaw(eventID(i), event(i))
	}
	<-b.js.PublishAsyncComplete()
}

func (b *bed) sendRaw(id string, body []byte) {
	b.t.Helper()
	msg := nats.NewMsg("promotion.wf")
	msg.Header.Set(silver.HeaderEventUUID, id)
	msg.Header.Set(silver.HeaderWorkflow, "wf")
	msg.Data = body
	if _, err := b.js.PublishMsgAsync(msg); err != nil {
		b.t.Fatal(err)
	}
}

func eventID(i int) string {
	return uuid.NewSHA1(uuid.NameSpaceDNS, fmt.Appendf(nil, "promotion %d", i)).String()
}

func event(i int) []byte {
	body, err := json.Marshal(map[string]any{
		"topology_class": "epistemic_promotion", "event_cid": fmt.Sprintf("promotion-%d", i), "timestamp": 1.76e9 + float64(i)/4,
		"source_episodic_event_cids": []string{"ev-a", "ev-b"}, "crystallized_semantic_node_cid": fmt.Sprintf("node-%d", i),
		"compression_ratio": 0.5, "workflow_id": "wf",
	})
	if err != nil {
		panic(err)
	}
	return body
}

// manualClock stands still until it is moved.
type manualClock struct {
	mu     sync.Mutex
	now    time.Time
	alarms map[chan time.Time]time.Time
	set    *sync.Cond // an alarm was set
}

func newManualClock() *manualClock {
	c := &manualClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), alarms: map[chan time.Time]time.Time{}}
	c.set = sync.NewCond(&c.mu)
	return c
}

func (c *manualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *manualClock) Alarm(t time.Time) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ring := make(chan time.Time, 1)
	c.alarms[ring] = t
	c.set.Broadcast()
	c.ring()
	return ring, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.alarms, ring)
	}
}

// advance moves the clock and rings what is due.
func (c *manualClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.ring()
}

// skip waits until an alarm is set and moves the clock to the earliest.
func (c *manualClock) skip() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.alarms) == 0 {
		c.set.Wait()
	}
	var next time.Time
	for _, t := range c.alarms {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if next.After(c.now) {
		c.now = next
	}
	c.ring()
}

func (c *manualClock) ring() {
	for ring, t := range c.alarms {
		if !t.After(c.now) {
			delete(c.alarms, ring)
			ring <- c.now
		}
	}
}
