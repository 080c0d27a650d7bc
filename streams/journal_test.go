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
