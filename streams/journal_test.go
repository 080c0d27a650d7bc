package streams_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"assay/streams"
	"assay/streams/streamstest"
	"assay/streams/streamstest/cluster"
)

// Who begins a later epoch shuts out who owned the partition before, and reads all that this one has committed, and nothing else.
func TestALaterEpochShutsOutTheEarlier(t *testing.T) {
	testALaterEpoch(t, streamstest.Connect(t, streamstest.Start(t)), 1)
}

// Three servers refuse what was overtaken with another code than one.
func TestALaterEpochShutsOutTheEarlierInACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	testALaterEpoch(t, cluster.Start(t, nil).Connect(t), 3)
}

func testALaterEpoch(t *testing.T, nc *nats.Conn, replicas int) {
	ctx := t.Context()
	cfg := streams.DefaultConfig()
	cfg.Fleet, cfg.Partitions, cfg.Replicas = true, 2, replicas
	log, err := streams.Open(ctx, nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	first, err := log.BeginEpoch(ctx, 1, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("x"), 9<<20) // of several records
	for _, commit := range [][]byte{[]byte("a"), large} {
		if _, err := first.Append(commit); err != nil {
			t.Fatal(err)
		}
	}
	end, epoch, err := log.JournalEnd(ctx, 1)
	if err != nil || epoch != 1 {
		t.Fatalf("epoch %d, %v", epoch, err)
	}
	if _, err := log.BeginEpoch(ctx, 1, 2, end-1); !errors.Is(err, streams.ErrFenced) {
		t.Errorf("an epoch began on half of what was committed: %v", err)
	}
	second, err := log.BeginEpoch(ctx, 1, 2, end)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // once refused, always
		if _, err := first.Append([]byte("late")); !errors.Is(err, streams.ErrFenced) {
			t.Errorf("the earlier owner has committed: %v", err)
		}
	}
	last, err := second.Append([]byte("b"))
	if err != nil {
		t.Fatal(err)
	}
	var commits []string
	err = log.ReadJournal(ctx, 1, 0, last, false, func(commit []byte, _ uint64) error {
		if len(commit) > 0 { // not the beginning of an epoch
			commits = append(commits, string(commit[:1]))
		}
		return nil
	})
	if err != nil || len(commits) != 3 || commits[2] != "b" {
		t.Errorf("the journal has %v, %v", commits, err)
	}
	if err := log.PurgeJournal(ctx, 1, end); err != nil {
		t.Fatal(err)
	}
	if seq, _, err := log.JournalEnd(ctx, 1); err != nil || seq != last {
		t.Errorf("the journal ends at %d, %v; want %d", seq, err, last)
	}
}

// Who joins defines nothing.
func TestWhoJoinsDefinesNothing(t *testing.T) {
	cfg := streams.DefaultConfig()
	cfg.Joining = true
	if _, err := streams.Open(t.Context(), streamstest.Connect(t, streamstest.Start(t)), cfg); !errors.Is(err, streams.ErrUndefined) {
		t.Errorf("%v", err)
	}
}

// STATE is crowded from half of its limit on.
func TestJournalCrowded(t *testing.T) {
	ctx := t.Context()
	cfg := streams.DefaultConfig()
	cfg.Fleet, cfg.MaxBytes = true, 3<<30
	log, err := streams.Open(ctx, streamstest.Connect(t, streamstest.Start(t)), cfg)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := log.JetStream().Stream(ctx, streams.StreamState)
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	if config.MaxBytes != cfg.MaxBytes {
		t.Errorf("STATE may have %d bytes, BRONZE %d", config.MaxBytes, cfg.MaxBytes)
	}
	config.MaxBytes = 1 << 20
	if _, err := log.JetStream().UpdateStream(ctx, config); err != nil {
		t.Fatal(err)
	}
	journal, err := log.BeginEpoch(ctx, 0, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{false, true} {
		if _, err := journal.Append(make([]byte, 400<<10)); err != nil {
			t.Fatal(err)
		}
		if crowded, err := log.JournalCrowded(ctx); err != nil || crowded != want {
			t.Errorf("crowded: %v, %v; want %v", crowded, err, want)
		}
	}
}
