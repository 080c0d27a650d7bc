package streams

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestOpenTwiceChangesNothing(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	if _, err := n.publisher(t, PublisherConfig{}).Publish(ctx, testFrames("s", 3)...); err != nil {
		t.Fatal(err)
	}
	again, err := Open(ctx, n.nc, smallConfig())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(replayAll(t, again)); got != 3 {
		t.Errorf("%d frames after the second Open; want 3", got)
	}
}

func TestOpenBringsTheLogUpToDate(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	byOperator := n.Bronze().CachedInfo().Config
	byOperator.Metadata = map[string]string{"team": "ops"}
	if _, err := n.JetStream().UpdateStream(ctx, byOperator); err != nil {
		t.Fatal(err)
	}
	cfg := smallConfig()
	cfg.MaxBytes, cfg.MaxAge, cfg.Ring, cfg.Compress, cfg.AckWait = 1<<20, time.Hour, true, true, 5*time.Second
	changed, err := Open(ctx, n.nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := changed.Bronze().CachedInfo().Config
	if got.MaxBytes != 1<<20 || got.MaxAge != time.Hour || got.Discard != jetstream.DiscardOld ||
		got.Compression != jetstream.S2Compression || got.Metadata["team"] != "ops" {
		t.Errorf("BRONZE is %+v", got)
	}
	silver, err := changed.SilverConsumer(ctx)
	if err != nil || silver.CachedInfo().Config.AckWait != 5*time.Second {
		t.Errorf("consumer silver: %v", err)
	}
}

func TestOpenRefusesWhatItCannotChange(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	if err := n.JetStream().DeleteStream(ctx, StreamBronze); err != nil {
		t.Fatal(err)
	}
	if _, err := n.JetStream().CreateStream(ctx, jetstream.StreamConfig{
		Name: StreamBronze, Subjects: []string{"bronze.>"}, Storage: jetstream.MemoryStorage,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, n.nc, smallConfig()); !errors.Is(err, ErrConfig) {
		t.Errorf("error is %v; want ErrConfig", err)
	}
	tooLarge := smallConfig()
	tooLarge.MaxBytes = 1 << 50
	if _, err := Open(ctx, n.nc, tooLarge); !errors.Is(err, ErrConfig) {
		t.Errorf("error is %v; want ErrConfig", err)
	}
}

func TestConfigOutOfRange(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Config){
		"replicas": func(c *Config) { c.Replicas = 2 },
		"bytes":    func(c *Config) { c.MaxBytes = 0 },
		"age":      func(c *Config) { c.MaxAge = -1 },
		"window":   func(c *Config) { c.DuplicateWindow = 0 },
		"both":     func(c *Config) { c.MaxAge, c.DuplicateWindow = time.Second, time.Minute },
		"ack":      func(c *Config) { c.AckWait = 0 },
		"pending":  func(c *Config) { c.MaxAckPending = 0 },
	} {
		cfg := DefaultConfig()
		spoil(&cfg)
		if err := cfg.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: error is %v; want ErrConfig", name, err)
		}
	}
}

// Limits belong to who runs the log: who comes to read leaves them, and no new limit drops what an older one allowed.
func TestLimitsAreKept(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	if err := n.PublishMsgs(ctx, &nats.Msg{Subject: "bronze.event.w", Header: nats.Header{}, Data: make([]byte, 100_000)}); err != nil {
		t.Fatal(err)
	}
	reading := smallConfig()
	reading.MaxBytes, reading.Ring, reading.Reading = 50_000, true, true
	reader, err := Open(ctx, n.nc, reading)
	if err != nil {
		t.Fatal(err)
	}
	if got := reader.Bronze().CachedInfo().Config; got.MaxBytes != smallConfig().MaxBytes || got.Discard != jetstream.DiscardNew {
		t.Errorf("reading changed the limits to %d, %v", got.MaxBytes, got.Discard)
	}
	lower := smallConfig()
	lower.MaxBytes = 50_000
	if _, err := Open(ctx, n.nc, lower); !errors.Is(err, ErrConfig) {
		t.Errorf("a limit below what the log holds: %v", err)
	}
	lower.Ring = true // then it is asked for
	if _, err := Open(ctx, n.nc, lower); err != nil {
		t.Error(err)
	}
}

// A message that no fetch could bring is refused, whoever publishes it, lest it hold up all that comes after it.
func TestOversizedMessagesAreRefused(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	publish := func(bytes int) error {
		return n.PublishMsgs(ctx, &nats.Msg{Subject: "bronze.event.w", Header: nats.Header{}, Data: make([]byte, bytes)})
	}
	if err := publish(FetchBytesMax); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a message as large as a fetch: %v", err)
	}
	if err := publish(n.MessageBytesMax() - 1<<10); err != nil {
		t.Fatal(err)
	}
	consumer, err := n.SilverConsumer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	fetched, err := Fetch(ctx, consumer, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer fetched.Close()
	if msg, ok := <-fetched.Messages(); !ok || len(msg.Data()) != n.MessageBytesMax()-1<<10 {
		t.Errorf("the largest message does not come: %v", fetched.Err())
	}
}

func TestBuffersKeepWhatIsNotAcknowledged(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	first, second := nats.NewMsg("silver.0"), nats.NewMsg("silver.0")
	first.Header.Set(nats.MsgIdHdr, "a")
	second.Header.Set(nats.MsgIdHdr, "b")
	for range 2 { // the second time it is recognised
		if err := n.PublishMsgs(ctx, first, second); err != nil {
			t.Fatal(err)
		}
	}
	gold, err := n.GoldConsumer(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	msgs, err := fetch(ctx, gold, 2)
	if err != nil || len(msgs) != 2 {
		t.Fatalf("%d messages, %v; want 2", len(msgs), err)
	}
	if err := msgs[0].DoubleAck(ctx); err != nil {
		t.Fatal(err)
	}
	info, err := n.Silver().Info(ctx)
	if err != nil || info.State.Msgs != 1 || info.State.FirstSeq != 2 {
		t.Errorf("SILVER holds %+v, %v; want the message that is not acknowledged", info.State, err)
	}
}

// What a process held when it crashed comes at once, not after the acknowledgement wait.
func TestRedeliver(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	if _, err := n.publisher(t, PublisherConfig{}).Publish(ctx, testFrames("s", 5)...); err != nil {
		t.Fatal(err)
	}
	silver, err := n.SilverConsumer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for round, want := range []int{5, 4} {
		msgs, err := fetch(ctx, silver, want)
		if err != nil || len(msgs) != want {
			t.Fatalf("round %d: %d frames, %v; want %d", round, len(msgs), err, want)
		}
		if err := msgs[0].DoubleAck(ctx); err != nil {
			t.Fatal(err)
		}
		if err := n.Redeliver(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestManyDeadLetters(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	letters := make([]*nats.Msg, messagesInFlightMax+500)
	for i := range letters {
		letters[i] = nats.NewMsg("dead.sse")
	}
	if err := n.PublishMsgs(ctx, letters...); err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, err := range Scan(ctx, n.Dead(), ReplayOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		read++
	}
	if read != len(letters) {
		t.Errorf("%d letters; want %d", read, len(letters))
	}
}

func TestDamageIsReported(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir, smallConfig())
	if _, err := n.publisher(t, PublisherConfig{}).Publish(testContext(t), testFrames("s", 100)...); err != nil {
		t.Fatal(err)
	}
	n.stop(t)
	spoilBlock(t, dir, testFrame("s", 50).Body)
	damage := startNode(t, dir, smallConfig()).Damage()
	if len(damage) != 1 || damage[0].Stream != StreamBronze || damage[0].Bytes == 0 && len(damage[0].Sequences) == 0 {
		t.Errorf("damage is %+v; want some in BRONZE", damage)
	}
}

// spoilBlock flips a bit of that body in BRONZE's only block, and removes the index that would hide it.
func spoilBlock(t *testing.T, dir string, body []byte) {
	t.Helper()
	folder := filepath.Join(dir, storeDir, "jetstream", "$G", "streams", StreamBronze, "msgs")
	block := filepath.Join(folder, "1.blk")
	data, err := os.ReadFile(block)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, body)
	if at < 0 {
		t.Fatalf("%s does not hold %q", block, body)
	}
	data[at] ^= 1
	if err := os.WriteFile(block, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, "index.db")); err != nil {
		t.Fatal(err)
	}
}
