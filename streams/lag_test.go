package streams

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"
)

func TestThreshold(t *testing.T) {
	p := ShedPolicy{Low: 100, High: 300, Ceiling: 0.8}
	for lag, want := range map[uint64]float64{0: 0, 100: 0, 150: 0.2, 200: 0.4, 300: 0.8, 1 << 40: 0.8} {
		if got := p.Threshold(lag); got != want {
			t.Errorf("threshold at %d is %v; want %v", lag, got, want)
		}
	}
	if got := (ShedPolicy{}).Threshold(1 << 40); got != 0 {
		t.Errorf("the zero policy sheds at %v", got)
	}
}

func TestThresholdGrowsWithTheLag(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := ShedPolicy{Low: rapid.Uint64().Draw(t, "low"), Ceiling: rapid.Float64Range(0, 1).Draw(t, "ceiling")}
		p.High = rapid.Uint64Min(p.Low).Draw(t, "high")
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		a := rapid.Uint64().Draw(t, "a")
		b := rapid.Uint64Min(a).Draw(t, "b")
		if x, y := p.Threshold(a), p.Threshold(b); !(0 <= x && x <= y && y <= p.Ceiling) {
			t.Fatalf("threshold %v at %d, %v at %d", x, a, y, b)
		}
	})
}

func TestPolicyOutOfRange(t *testing.T) {
	for _, p := range []ShedPolicy{{Low: 2, High: 1}, {Ceiling: 1.1}, {Ceiling: -1}} {
		if err := p.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: error is %v; want ErrConfig", p, err)
		}
	}
}

func TestStampFollowsSilver(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	stamp := NewStamp(ShedPolicy{Low: 10, High: 110, Ceiling: 1}, n.SilverLag)
	if _, err := n.publisher(t, PublisherConfig{}).Publish(ctx, testFrames("s", 60)...); err != nil {
		t.Fatal(err)
	}
	silver, err := n.SilverConsumer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	msgs, err := fetch(ctx, silver, 60)
	if err != nil || len(msgs) != 60 {
		t.Fatalf("%d messages, %v", len(msgs), err)
	}
	for i, want := range []float64{0.5, 0.5, 0} {
		if err := stamp.Refresh(ctx); err != nil || stamp.Threshold() != want {
			t.Fatalf("step %d: threshold %v, %v; want %v", i, stamp.Threshold(), err, want)
		}
		if i == 1 {
			for _, msg := range msgs {
				if err := msg.DoubleAck(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestStampShedsNothingOnAGuess(t *testing.T) {
	lags := make(chan uint64)
	broken := errors.New("broken")
	stamp := NewStamp(ShedPolicy{High: 1, Ceiling: 1}, func(context.Context) (uint64, error) {
		if lag, ok := <-lags; ok {
			return lag, nil
		}
		return 5, broken
	})
	ctx, cancel := context.WithCancel(testContext(t))
	failed := make(chan error)
	done := make(chan struct{})
	go func() {
		defer close(done)
		stamp.Run(ctx, time.Millisecond, func(err error) { failed <- err })
	}()
	lags <- 9
	lags <- 9 // the first is in force now
	if got := stamp.Threshold(); got != 1 {
		t.Errorf("threshold is %v; want 1", got)
	}
	close(lags)
	if err := <-failed; !errors.Is(err, broken) || stamp.Threshold() != 0 {
		t.Errorf("threshold is %v after %v; want 0", stamp.Threshold(), err)
	}
	cancel()
	for open := true; open; {
		select {
		case <-failed:
		case <-done:
			open = false
		}
	}
}

// Batches count until they are acknowledged, whether or not their partition has a consumer just then.
func TestGoldLags(t *testing.T) {
	for _, partitions := range []int{1, 3} {
		cfg := smallConfig()
		cfg.Partitions = partitions
		n := startNode(t, t.TempDir(), cfg)
		ctx := testContext(t)
		last := partitions - 1
		want := make([]uint64, partitions)
		check := func(what string) {
			t.Helper()
			if got, err := n.GoldLags(ctx); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%d partitions, %s: %v, %v; want %v", partitions, what, got, err, want)
			}
		}
		check("empty log")
		for range 4 {
			if err := n.PublishMsgs(ctx, nats.NewMsg(silverSubject(last))); err != nil {
				t.Fatal(err)
			}
		}
		want[last] = 4
		check("published")
		gold, err := n.GoldConsumer(ctx, last)
		if err != nil {
			t.Fatal(err)
		}
		msgs, err := fetch(ctx, gold, 3)
		if err != nil || len(msgs) != 3 {
			t.Fatal(len(msgs), err)
		}
		check("delivered")
		for _, m := range msgs {
			if err := m.DoubleAck(ctx); err != nil {
				t.Fatal(err)
			}
		}
		want[last] = 1
		check("acknowledged")
		if err := n.Silver().DeleteConsumer(ctx, n.goldName(last)); err != nil {
			t.Fatal(err)
		}
		check("without a consumer")
	}
}
