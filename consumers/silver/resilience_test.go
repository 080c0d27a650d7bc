package silver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/bronze"
	"assay/streams"
)

// lines is a stream of state events of which every seventh is no JSON.
func lines(stream string, n int) *source {
	s := &source{source: streams.SourceEvent, contentType: streams.ContentNDJSON, stream: stream, workflow: "wf"}
	for i := range n {
		line := fmt.Sprintf(`{"type":"TokenStreamChunk","chunk":"token %d","intent_id":"i"}`, i)
		if i%7 == 6 {
			line = "broken"
		}
		s.events = append(s.events, line+"\n")
	}
	return s
}

// single cuts a stream into frames of one event.
func (s *source) single() (frames []*streams.Frame) {
	for i := range s.events {
		frames = append(frames, s.frame(i, i+1))
	}
	return frames
}

// sink gathers what Silver publishes, in the place of a log.
type sink struct {
	mu       sync.Mutex
	rows     table
	messages []int // rows in each
	err      error
}

func (s *sink) publish(_ context.Context, msgs ...*nats.Msg) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, msg := range msgs {
		if !strings.HasPrefix(msg.Subject, "silver.") {
			continue
		}
		record, err := Decode(memory.DefaultAllocator, msg.Data)
		if err != nil {
			return err
		}
		s.err = errors.Join(s.err, s.rows.add(record))
		s.messages = append(s.messages, int(record.NumRows()))
		record.Release()
	}
	return nil
}

func TestReplicasShedTheSame(t *testing.T) {
	b := newBed(t)
	var frames []*streams.Frame
	for i, shed := range []float64{0, 0.2, 0.5, 0.9, 1} {
		s := lines(fmt.Sprint("stream ", i), 100)
		s.shed = shed
		frames = append(frames, s.single()...)
	}
	b.putFrames(t, frames...)
	want, events := straight(t, b.options(), frames)
	shed := 0
	for _, e := range events {
		if e.Disposition == bronze.Shed {
			shed++
		}
	}
	if shed == 0 || shed == len(events) {
		t.Fatalf("%d of %d events are shed; the test shows nothing", shed, len(events))
	}

	var replicas sync.WaitGroup // at once, so that each is a load to the others
	for i, change := range []func(o *Options){
		func(o *Options) { o.MaxRows, o.Workers, o.MaxFetch = 1, 1, 1 },
		func(o *Options) {
			o.MaxRows, o.Workers, o.Publisher = 37, 4, faulty(o.Publisher, []string{"", "after", "before", "after"})
		},
		func(o *Options) { o.Workers, o.Partitions, o.Publisher = 8, 4, faulty(o.Publisher, []string{"before"}) },
	} {
		replica := &sink{rows: table{}}
		o := b.options()
		o.Publisher = publishFunc(replica.publish)
		change(&o)
		c := b.consumer(t, b.conn, time.Second)
		replicas.Go(func() {
			b.process(t, o, c)
			if err := errors.Join(replica.err, replica.rows.equal(want)); err != nil {
				t.Errorf("replica %d: %v", i, err)
			}
		})
	}
	replicas.Wait()
}

func TestPoisonGoesToDeadAndTheRestGoesOn(t *testing.T) {
	b := newBed(t)
	bad, odd, wide := nats.NewMsg("bronze.event.wf"), nats.NewMsg("bronze.nowhere"), nats.NewMsg("bronze.event.wf")
	bad.Header.Set(streams.HeaderPosition, "minus one")
	bad.Data, odd.Data = []byte("{}"), []byte("whatever")
	wide.Data = fmt.Appendf(nil, `{"type":"epistemic_promotion","event_cid":"p","workflow_id":%q}`,
		strings.Repeat("w", workflowBytesMax+1))
	large := nats.NewMsg("bronze.event.wf")
	large.Data = fmt.Appendf(nil, `{"type":"x","note":%q}`, strings.Repeat("x", rowBytesMax))
	good := lines("good", 7)
	good.events[6] = "broken\n"
	b.put(t, bad, odd, wide, large, good.frame(0, 7).Msg())

	o := b.options()
	o.Publisher = faulty(o.Publisher, []string{"after", "after"}) // every letter is published several times
	b.process(t, o, b.consumer(t, b.conn, time.Second))

	rows, _, err := b.silverRows(t)
	if err != nil || len(rows) != 4+7 {
		t.Errorf("%d rows, %v; want one an event", len(rows), err)
	}
	letters := map[string]string{}
	for _, m := range all(t, b.Dead()) {
		at := m.Header.Get(HeaderBronzeSeq) + "/" + m.Header.Get(streams.HeaderPosition)
		if _, twice := letters[at]; twice {
			t.Errorf("two letters of %s", at)
		}
		letters[at] = fmt.Sprint(m.Subject, ": ", m.Header.Get(HeaderReason), ": ", len(m.Data), " bytes")
		if m.Header.Get(HeaderWorkflow) == "" || m.Header.Get(streams.HeaderStream) == "" {
			t.Errorf("letter of %s has headers %v", at, m.Header)
		}
	}
	for at, want := range map[string]string{
		"1/1": "dead.event: streams: malformed frame: header Assay-Position",
		"2/2": "dead.unknown: streams: malformed frame: subject",
		"3/3": "dead.event: its workflow id has 676 bytes; 675 are allowed",
		"4/4": "dead.event: its row has ",
		"5/6": "dead.event: not JSON: ",
	} {
		if !strings.HasPrefix(letters[at], want) {
			t.Errorf("letter of %s is %q, want %q", at, letters[at], want)
		}
	}
	if len(letters) != 5 || len(b.promotions(t)) != 0 {
		t.Errorf("%d letters, %d promotions; want 5 and none: %v", len(letters), len(b.promotions(t)), letters)
	}
}

func TestFullSilverIsWaitedFor(t *testing.T) {
	b := newBed(t)
	cfg := b.Silver().CachedInfo().Config
	cfg.MaxBytes = 64 << 10
	if _, err := b.JetStream().UpdateStream(testContext(t), cfg); err != nil {
		t.Fatal(err)
	}
	frames := lines("s", 400).single()
	b.putFrames(t, frames...)
	o := b.options()
	want, _ := straight(t, o, frames)
	full := make(chan struct{})
	var once sync.Once
	o.MaxRows = 20
	o.Publisher = publishFunc(func(ctx context.Context, msgs ...*nats.Msg) error {
		err := b.PublishMsgs(ctx, msgs...)
		if errors.Is(err, streams.ErrFull) {
			once.Do(func() { close(full) })
		}
		return err
	})
	c := b.consumer(t, b.conn, time.Minute)
	stop := start(t, o, c)
	defer stop()
	select {
	case <-full:
	case <-testContext(t).Done():
		t.Fatal("SILVER never was full")
	}
	got := b.takeSilver(t, len(want))
	b.drained(t, c)
	if err := got.equal(want); err != nil {
		t.Error(err)
	}
	if letters := len(all(t, b.Dead())); letters != 400/7 {
		t.Errorf("%d letters, want %d", letters, 400/7)
	}
}

// takeSilver makes room in SILVER, as Gold does, until it has met so many different rows.
func (b *bed) takeSilver(t testing.TB, n int) table {
	t.Helper()
	ctx := testContext(t)
	gold, err := b.GoldConsumer(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	rows := table{}
	for len(rows) < n {
		msg, err := gold.Next(jetstream.FetchContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		record, err := Decode(memory.DefaultAllocator, msg.Data())
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(rows.add(record), msg.Ack())
		record.Release()
		if err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// A process that dies after its batch is stored and before it says so leaves work that is done a second time.
func TestDeathBetweenPublishAndAckOnlyRepeats(t *testing.T) {
	b := newBed(t)
	frames := lines("s", 50).single()
	b.putFrames(t, frames...)
	mortal := b.connect(t)
	c := b.consumer(t, mortal, time.Second)
	died := make(chan struct{})
	o := b.options()
	o.Workers, o.MaxRows = 1, 10
	o.Publisher = publishFunc(func(ctx context.Context, msgs ...*nats.Msg) error {
		select {
		case <-died: // the dead publish nothing
			return errInjected
		default:
		}
		err := b.PublishMsgs(ctx, msgs...)
		mortal.Close()
		close(died)
		return err
	})
	stop := start(t, o, c)
	<-died
	stop()
	if rows, copies, err := b.silverRows(t); err != nil || len(rows) != 10 || copies != 10 {
		t.Fatalf("%d rows, %d copies, %v; want the first batch", len(rows), copies, err)
	}

	js, err := jetstream.New(b.conn)
	if err != nil {
		t.Fatal(err)
	}
	again, err := js.Consumer(testContext(t), streams.StreamBronze, c.CachedInfo().Name)
	if err != nil {
		t.Fatal(err)
	}
	if again.CachedInfo().NumAckPending == 0 {
		t.Error("frames are acknowledged by nobody")
	}
	b.process(t, b.options(), again)
	want, _ := straight(t, b.options(), frames)
	got, copies, err := b.silverRows(t)
	if err == nil {
		err = got.equal(want)
	}
	if err != nil || copies != len(want)+10 {
		t.Errorf("%d copies of %d rows, %v; want the first batch twice", copies, len(want), err)
	}
}

func TestStopLosesNothing(t *testing.T) {
	b := newBed(t)
	frames := lines("s", 30).single()
	b.putFrames(t, frames...)
	c := b.consumer(t, b.conn, time.Second) // for frames that were under way to the worker when it stopped
	publishing := make(chan struct{})
	var once sync.Once
	o := b.options()
	o.MaxRows = 10
	o.Publisher = publishFunc(func(ctx context.Context, _ ...*nats.Msg) error {
		once.Do(func() { close(publishing) })
		<-ctx.Done()
		return ctx.Err()
	})
	stop := start(t, o, c)
	<-publishing
	stop()
	b.process(t, b.options(), c)
	want, _ := straight(t, b.options(), frames)
	if got, _, err := b.silverRows(t); err != nil || got.equal(want) != nil {
		t.Errorf("%v, %v", err, got.equal(want))
	}
}
