package silver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/bronze"
	"assay/streams"
	"assay/streams/streamstest"
)

const (
	// testTimeout limits every wait of a test.
	testTimeout = time.Minute
	// pollInterval is how often a test looks whether what it waits for has come.
	pollInterval = 2 * time.Millisecond
)

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

// bed is a log on a server of its own.
type bed struct {
	*streams.Log
	server *streams.Server
	conn   *nats.Conn
	runs   int
}

func newBed(t testing.TB) *bed {
	t.Helper()
	b := &bed{server: streamstest.Start(t)}
	b.conn = b.connect(t)
	b.Log = streamstest.Open(t, b.conn)
	return b
}

func (b *bed) connect(t testing.TB) *nats.Conn { return streamstest.Connect(t, b.server) }

// empty removes every message.
func (b *bed) empty(t testing.TB) {
	t.Helper()
	for _, s := range []jetstream.Stream{b.Bronze(), b.Silver(), b.Dead(), b.Promotion()} {
		if err := s.Purge(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
}

// put stores messages as any client may: without message ids, so that nothing keeps duplicates out.
func (b *bed) put(t testing.TB, msgs ...*nats.Msg) {
	t.Helper()
	for _, m := range msgs {
		m.Header.Del(nats.MsgIdHdr)
	}
	if err := b.PublishMsgs(testContext(t), msgs...); err != nil {
		t.Fatal(err)
	}
}

func (b *bed) putFrames(t testing.TB, frames ...*streams.Frame) {
	t.Helper()
	msgs := make([]*nats.Msg, len(frames))
	for i, f := range frames {
		msgs[i] = f.Msg()
	}
	b.put(t, msgs...)
}

// consumer is a new durable consumer of BRONZE, seen through conn.
func (b *bed) consumer(t testing.TB, conn *nats.Conn, ackWait time.Duration) jetstream.Consumer {
	t.Helper()
	b.runs++
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	c, err := js.CreateConsumer(testContext(t), streams.StreamBronze, jetstream.ConsumerConfig{
		Durable: fmt.Sprintf("silver-%d", b.runs), AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxAckPending: 10_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// options decode with both gates and publish to the log.
func (b *bed) options() Options {
	o := DefaultOptions()
	o.Decoder, o.Keys, o.Logger = bronze.NewDecoder(), &bronze.Keys{}, slog.New(slog.DiscardHandler)
	if b != nil {
		o.Publisher = b
	}
	return o
}

// decodeFunc is a Decoder.
type decodeFunc func(f *streams.Frame, seq uint64) []bronze.Event

func (d decodeFunc) Decode(f *streams.Frame, seq uint64) []bronze.Event { return d(f, seq) }

// publishFunc is a streams.MsgPublisher.
type publishFunc func(ctx context.Context, msgs ...*nats.Msg) error

func (p publishFunc) PublishMsgs(ctx context.Context, msgs ...*nats.Msg) error {
	return p(ctx, msgs...)
}

// start runs Silver until stop is called, which waits for it.
func start(t testing.TB, o Options, c jetstream.Consumer) (stop func()) {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, c) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// process runs Silver until all frames are acknowledged.
func (b *bed) process(t testing.TB, o Options, c jetstream.Consumer) {
	t.Helper()
	stop := start(t, o, c)
	defer stop()
	b.drained(t, c)
}

// drained waits until every frame is acknowledged. What waits the consumer counts a moment after it is stored, so the log is asked too.
func (b *bed) drained(t testing.TB, c jetstream.Consumer) {
	t.Helper()
	until(t, "every frame is acknowledged", func(ctx context.Context) (bool, error) {
		log, err := b.Bronze().Info(ctx)
		if err != nil {
			return false, err
		}
		info, err := c.Info(ctx)
		return err == nil && info.NumPending == 0 && info.NumAckPending == 0 && info.Delivered.Stream >= log.State.LastSeq, err
	})
}

// until waits for a condition.
func until(t testing.TB, what string, holds func(context.Context) (bool, error)) {
	t.Helper()
	ctx := testContext(t)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if ok, err := holds(ctx); err != nil {
			t.Fatalf("until %s: %v", what, err)
		} else if ok {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("until %s: %v", what, ctx.Err())
		}
	}
}

// all reads a stream, whatever its retention.
func all(t testing.TB, s jetstream.Stream) (msgs []*jetstream.RawStreamMsg) {
	t.Helper()
	ctx := testContext(t)
	info, err := s.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for seq := max(info.State.FirstSeq, 1); seq <= info.State.LastSeq; seq++ {
		msg, err := s.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, msg)
	}
	return msgs
}

// table is a set of rows by event_uuid: all columns but those that tell where an event was first met.
type table map[string]string

// add adds the rows of a record. Two rows of one event that differ are an error.
func (rows table) add(record arrow.Record) error {
	for i := range int(record.NumRows()) {
		var row strings.Builder
		for c, field := range record.Schema().Fields() {
			if field.Name != ColBronzeSeq && field.Name != ColCapturedAt {
				fmt.Fprintf(&row, "%s=%s\n", field.Name, record.Column(c).ValueStr(i))
			}
		}
		id := record.Column(0).ValueStr(i)
		if had, ok := rows[id]; ok && had != row.String() {
			return fmt.Errorf("one event, two rows:\n%s\n%s", had, &row)
		}
		rows[id] = row.String()
	}
	return nil
}

// equal tells how rows differ from what they should be.
func (rows table) equal(want table) error {
	for id, row := range want {
		if got, ok := rows[id]; !ok {
			return fmt.Errorf("missing:\n%s", row)
		} else if got != row {
			return fmt.Errorf("got:\n%s\nwant:\n%s", got, row)
		}
	}
	for id, row := range rows {
		if _, ok := want[id]; !ok {
			return fmt.Errorf("unexpected:\n%s", row)
		}
	}
	return nil
}

// silverRows reads all rows of SILVER, and how often they are there in all.
func (b *bed) silverRows(t testing.TB) (rows table, copies int, err error) {
	t.Helper()
	rows = table{}
	for _, msg := range all(t, b.Silver()) {
		record, err := Decode(memory.DefaultAllocator, msg.Data)
		if err != nil {
			t.Fatal(err)
		}
		copies += int(record.NumRows())
		err = rows.add(record)
		record.Release()
		if err != nil {
			return rows, copies, err
		}
	}
	return rows, copies, nil
}

// straight is what a straight run makes of frames: each once, in order, in one batch, with no log at all.
func straight(t testing.TB, o Options, frames []*streams.Frame) (rows table, events []bronze.Event) {
	t.Helper()
	batch := o.NewBatch()
	defer batch.Release()
	for i, f := range frames {
		m := f.Msg()
		for _, e := range o.Events(streams.Message{Subject: m.Subject, Header: m.Header, Data: m.Data, Seq: uint64(i + 1)}) {
			batch.Append(&e)
			events = append(events, e)
		}
	}
	record, err := batch.Record()
	if err != nil {
		t.Fatal(err)
	}
	defer record.Release()
	rows = table{}
	if err := rows.add(record); err != nil {
		t.Fatal(err)
	}
	return rows, events
}
