package silver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"assay/consumers/bronze"
	"assay/streams"
)

var errInjected = errors.New("injected failure")

// faulty publishes, and fails before or after it did so, as a list says call by call; after the list it always works.
// What was published before a failure is never acknowledged, as when the process dies in between.
func faulty(publisher streams.MsgPublisher, faults []string) streams.MsgPublisher {
	var mu sync.Mutex
	next := func() (fault string) {
		mu.Lock()
		defer mu.Unlock()
		if len(faults) > 0 {
			fault, faults = faults[0], faults[1:]
		}
		return fault
	}
	return publishFunc(func(ctx context.Context, msgs ...*nats.Msg) error {
		fault := next()
		if fault == "before" {
			return errInjected
		}
		err := publisher.PublishMsgs(ctx, msgs...)
		if fault == "after" {
			return errInjected
		}
		return err
	})
}

// drawOptions draws how Silver runs, and what fails meanwhile.
func drawOptions(t *rapid.T, o Options) Options {
	o.Workers = rapid.IntRange(1, 8).Draw(t, "workers")
	o.Partitions = rapid.IntRange(1, 4).Draw(t, "partitions")
	o.MaxRows = rapid.IntRange(1, 40).Draw(t, "rows")
	o.MaxBytes = rapid.IntRange(1, 20_000).Draw(t, "bytes")
	o.MaxFrames = rapid.IntRange(1, 20).Draw(t, "frames")
	o.MaxFetch = rapid.IntRange(1, 20).Draw(t, "fetch")
	o.MaxAge = time.Duration(rapid.IntRange(1, 5).Draw(t, "age")) * time.Millisecond
	o.Publisher = faulty(o.Publisher, rapid.SliceOfN(rapid.SampledFrom([]string{"", "before", "after"}), 0, 3).Draw(t, "faults"))
	return o
}

// drawFrames draws one to three cuts of all streams and mixes them, so that every event is there, some in several frames.
func drawFrames(t *rapid.T, sources []source) []*streams.Frame {
	var frames []*streams.Frame
	for range rapid.IntRange(1, 3).Draw(t, "copies") {
		for i := range sources {
			frames = append(frames, sources[i].cut(t)...)
		}
	}
	return rapid.Permutation(frames).Draw(t, "order")
}

func TestAnyWayOfRunningGivesTheSameRows(t *testing.T) {
	b := newBed(t)
	rapid.Check(t, func(rt *rapid.T) {
		sources := drawSources(rt, fmt.Sprintf("run %d", b.runs))
		want, events := straight(t, b.options(), whole(sources))

		b.empty(t)
		b.putFrames(t, drawFrames(rt, sources)...)
		b.process(t, drawOptions(rt, b.options()), b.consumer(t, b.conn, time.Second))
		got, _, err := b.silverRows(t)
		if err == nil {
			err = got.equal(want)
		}
		if err != nil {
			rt.Fatal(err)
		}
		requirePromotions(rt, b.promotions(t), events)
	})
}

func whole(sources []source) (frames []*streams.Frame) {
	for _, s := range sources {
		frames = append(frames, s.frame(0, len(s.events)))
	}
	return frames
}

// promotions counts the messages of PROMOTION by the identity that they give.
func (b *bed) promotions(t testing.TB) map[string]int {
	found := map[string]int{}
	for _, msg := range all(t, b.Promotion()) {
		found[msg.Header.Get(HeaderEventUUID)]++
	}
	return found
}

// requirePromotions requires each promotion among the events once, although frames came several times.
func requirePromotions(t rapid.TB, found map[string]int, events []bronze.Event) {
	want := map[string]int{}
	for i := range events {
		if e := &events[i]; e.Kind == bronze.KindPromotion && e.Disposition == bronze.Kept {
			want[EventUUID(namespace, e).String()] = 1
		}
	}
	for id, n := range found {
		if n != want[id] {
			t.Fatalf("promotion %s: %d messages, want %d", id, n, want[id])
		}
	}
	if len(found) != len(want) {
		t.Fatalf("%d promotions, want %d", len(found), len(want))
	}
}

// The test above must notice what depends on order: here, a decoder that counts.
func TestDependenceOnOrderIsNoticed(t *testing.T) {
	b := newBed(t)
	s := source{source: streams.SourceEvent, contentType: streams.ContentNDJSON, stream: "s", workflow: "wf"}
	for _, kind := range []string{"a", "b", "c"} {
		s.events = append(s.events, `{"type":"`+kind+`"}`+"\n")
	}
	for name, spoil := range map[string]func(e *bronze.Event, met int64){
		"position counted by the decoder": func(e *bronze.Event, met int64) { e.Position = uint64(met) },
		"number in the row":               func(e *bronze.Event, met int64) { e.OutputTokens = met },
		"shed every other": func(e *bronze.Event, met int64) {
			e.Disposition = []bronze.Disposition{bronze.Kept, bronze.Shed}[met%2]
		},
	} {
		t.Run(name, func(t *testing.T) {
			counting := func() Options {
				o := b.options()
				o.Workers = 1 // several might by chance meet the events in the order of a straight run
				var met atomic.Int64
				o.Decoder = decodeFunc(func(f *streams.Frame, seq uint64) []bronze.Event {
					events := bronze.NewDecoder().Decode(f, seq)
					for i := range events {
						spoil(&events[i], met.Add(1)-1)
					}
					return events
				})
				return o
			}
			want, _ := straight(t, counting(), whole([]source{s}))
			b.empty(t)
			b.putFrames(t, s.frame(2, 3), s.frame(0, 1), s.frame(1, 2))
			b.process(t, counting(), b.consumer(t, b.conn, time.Second))
			got, _, err := b.silverRows(t)
			if err == nil && got.equal(want) == nil {
				t.Error("the rows are those of a straight run")
			}
		})
	}
}
