package silver

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/bronze"
	"assay/streams"
)

// panicking is a table of keys that panics at an event.
type panicking struct {
	Keys
	at uint64
}

func (k panicking) Components(dst []string, e *bronze.Event) ([]string, bool) {
	if e.Position == k.at && e.Disposition != bronze.Dead {
		panic("no such key")
	}
	return k.Keys.Components(dst, e)
}

// One frame at which decoding, gathering or publishing fails for good goes to DEAD with its reason; all others are processed.
func TestAFrameThatAlwaysFailsGoesToDead(t *testing.T) {
	const poison, frames = 22, 40
	decode := func(o *Options) {
		decode := o.Decoder.Decode
		o.Decoder = decodeFunc(func(f *streams.Frame, seq uint64) []bronze.Event {
			if f.Position == poison {
				panic("unheard of")
			}
			return decode(f, seq)
		})
	}
	gather := func(o *Options) { o.Keys = panicking{o.Keys, poison} }
	publish := func(o *Options) {
		publish := o.Publisher.PublishMsgs
		o.Publisher = publishFunc(func(ctx context.Context, msgs ...*nats.Msg) error {
			for _, msg := range msgs {
				if bytes.Contains(msg.Data, []byte("token 22")) && strings.HasPrefix(msg.Subject, "silver.") {
					return errors.New("refused")
				}
			}
			return publish(ctx, msgs...)
		})
	}
	for _, test := range []struct {
		name, reason string
		fault        func(*Options)
		failures     int
		before       int // deliveries to processes that were killed
	}{
		{"decoding", "unheard of", decode, 2, 0},
		{"gathering", "no such key", gather, 2, 0},
		{"publishing", "refused", publish, 2, 0},
		{"after many processes", "unheard of", decode, 50, 50},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBed(t)
			s := lines("s", frames)
			b.putFrames(t, s.single()...)
			o := b.options()
			o.MaxFailures, o.Workers = test.failures, 1
			test.fault(&o)
			consumer := b.consumer(t, b.conn, 10*time.Second)
			for range test.before {
				refuse(t, consumer, frames)
			}
			b.process(t, o, consumer)
			rows, _, err := b.silverRows(t)
			if err != nil || len(rows) != frames {
				t.Errorf("%d rows, %v; want one a frame", len(rows), err)
			}
			var reasons []string
			for _, m := range all(t, b.Dead()) {
				if m.Header.Get(HeaderBronzeSeq) == "23" {
					reasons = append(reasons, m.Header.Get(HeaderReason))
				}
			}
			if len(reasons) != 1 || !strings.Contains(reasons[0], test.reason) {
				t.Errorf("DEAD has %q of the frame", reasons)
			}
		})
	}
}

// refuse has messages delivered and lets them go.
func refuse(t *testing.T, consumer jetstream.Consumer, n int) {
	t.Helper()
	batch, err := consumer.Fetch(n)
	if err != nil {
		t.Fatal(err)
	}
	for msg := range batch.Messages() {
		if err := msg.Nak(); err != nil {
			t.Fatal(err)
		}
	}
	if batch.Error() != nil {
		t.Fatal(batch.Error())
	}
}
