package silver

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

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
		decode := o.Decode
		o.Decode = func(f *streams.Frame, seq uint64) []bronze.Event {
			if f.Position == poison {
				panic("unheard of")
			}
			return decode(f, seq)
		}
	}
	gather := func(o *Options) { o.Keys = panicking{o.Keys, poison} }
	publish := func(o *Options) {
		publish := o.Publish
		o.Publish = func(ctx context.Context, msgs ...*nats.Msg) error {
			for _, msg := range msgs {
				if bytes.Contains(msg.Data, []byte("token 22")) && strings.HasPrefix(msg.Subject, "silver.") {
					return errors.New("refused")
				}
			}
			return publish(ctx, msgs...)
		}
	}
	for _, test := range []struct {
		name, reason string
		fault        func(*Options)
	}{
		{"decoding", "unheard of", decode},
		{"gathering", "no such key", gather},
		{"publishing", "refused", publish},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBed(t)
			s := lines("s", frames)
			b.putFrames(t, s.single()...)
			o := b.options()
			o.MaxFailures, o.Workers = 2, 1
			test.fault(&o)
			b.process(t, o, b.consumer(t, b.conn, 10*time.Second))
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
