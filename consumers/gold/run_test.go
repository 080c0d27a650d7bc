package gold

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/nats-io/nats.go"

	"assay/consumers/gold/state"
	"assay/consumers/silver"
	"assay/sovereign/schema"
	"assay/streams"
	"assay/streams/streamstest"
)

// testTimeout ends a test that waits for what never comes.
const testTimeout = time.Minute

func publish(t *testing.T, log *streams.Log, id string, body []byte) {
	t.Helper()
	msg := nats.NewMsg("silver.0")
	msg.Header.Set(nats.MsgIdHdr, id)
	msg.Data = body
	if err := log.PublishMsgs(context.Background(), msg); err != nil {
		t.Fatal(err)
	}
}

// TestRunFoldsEveryMessageOnce stops Gold after its first commit and before the acknowledgement, gives it a message twice
// and one that is no batch, and then stops it cleanly.
func TestRunFoldsEveryMessageOnce(t *testing.T) {
	const messages, rowsEach = 5, 3
	log := streamstest.NewLog(t)
	for i := range messages {
		r := record(someCalls(i*rowsEach, rowsEach))
		body, err := silver.Encode(memory.DefaultAllocator, r)
		r.Release()
		if err != nil {
			t.Fatal(err)
		}
		publish(t, log, fmt.Sprint("first ", i), body)
		publish(t, log, fmt.Sprint("again ", i), body)
	}
	publish(t, log, "poison", []byte("no batch"))

	store := newMemory()
	opts := testOptions(store)
	opts.DeadLetters = log
	ctx, stop := context.WithTimeout(context.Background(), testTimeout)
	defer stop()
	var g *Gold
	var once sync.Once
	var buried []string
	opts.Fault = func(at FaultPoint) (err error) {
		if at != state.AfterCommit {
			return nil
		}
		once.Do(func() { err = errCrash })
		if left := pending(t, log); left == 0 && err == nil {
			stop() // all that is left is this group
		}
		return err
	}
	g = open(t, opts)
	defer g.Close()
	consumer, err := log.GoldConsumer(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(ctx, consumer); err != nil {
		t.Fatal(err)
	}
	if totals := g.Totals(); totals.Events != messages*rowsEach {
		t.Errorf("%+v, want %d events", totals, messages*rowsEach)
	}
	for letter, err := range streams.Scan(t.Context(), log.Dead(), streams.ReplayOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		buried = append(buried, letter.Subject+": "+string(letter.Data)+": "+letter.Header.Get(silver.HeaderReason))
	}
	if len(buried) != 1 || !strings.HasPrefix(buried[0], "dead.silver: no batch: message 11 of SILVER: ") {
		t.Errorf("DEAD has %q", buried)
	}
	if rows, err := store.byKey(schema.Traces); err != nil || len(rows) != messages*rowsEach {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if rows, err := store.byKey(schema.Entities); err != nil || len(rows) != messages*rowsEach {
		t.Errorf("%d entities, %v: the last flush writes open ones too", len(rows), err)
	}
}

// pending returns how many messages Gold was not given yet.
func pending(t *testing.T, log *streams.Log) uint64 {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	consumer, err := log.GoldConsumer(ctx, 0)
	if err != nil {
		t.Error(err)
		return 0
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		t.Error(err)
		return 0
	}
	return info.NumPending
}

// A message that folding panics at goes to DEAD with its reason, and all others are folded.
func TestAMessageThatAlwaysFailsGoesToDead(t *testing.T) {
	const messages, poison = 6, 3
	log := streamstest.NewLog(t)
	for i := range messages {
		calls := someCalls(i, 1)
		if i == poison {
			calls[0].Workflow = "poison"
		}
		r := record(calls)
		body, err := silver.Encode(memory.DefaultAllocator, r)
		r.Release()
		if err != nil {
			t.Fatal(err)
		}
		publish(t, log, fmt.Sprint(i), body)
	}
	opts := testOptions(newMemory())
	ctx, stop := context.WithTimeout(context.Background(), testTimeout)
	defer stop()
	opts.MaxFailures = 2
	opts.DeadLetters = lastLetter{log, stop} // all others are folded while its pauses pass
	opts.Forgotten = panicking{}
	g := open(t, opts)
	defer g.Close()
	consumer, err := log.GoldConsumer(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Run(ctx, consumer); err != nil {
		t.Fatal(err)
	}
	if totals := g.Totals(); totals.Events != messages-1 {
		t.Errorf("%+v, want %d events", totals, messages-1)
	}
	var reasons []string
	for letter, err := range streams.Scan(t.Context(), log.Dead(), streams.ReplayOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		reasons = append(reasons, letter.Header.Get(silver.HeaderReason))
	}
	if len(reasons) != 1 || !strings.Contains(reasons[0], "unheard of") {
		t.Errorf("DEAD has %q", reasons)
	}
}

// lastLetter is a log that stops what publishes to it.
type lastLetter struct {
	*streams.Log
	stop func()
}

func (l lastLetter) PublishMsgs(ctx context.Context, msgs ...*nats.Msg) error {
	defer l.stop()
	return l.Log.PublishMsgs(ctx, msgs...)
}

// panicking panics when it is asked about events of the workflow poison.
type panicking struct{}

func (panicking) Has(workflow string, _ uint64) bool {
	if workflow == "poison" {
		panic("unheard of")
	}
	return false
}
