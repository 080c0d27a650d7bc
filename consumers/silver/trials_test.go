package silver

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"assay/consumers/bronze"
	"assay/streams"
	"assay/streams/streamstest"
)

// A frame whose decoding ends the process each time goes to DEAD, and nothing else does: neither what was processed with it, nor what
// is processed after.
func TestAFrameThatEndsTheProcessGoesToDead(t *testing.T) {
	const poison, frames = 22, 40
	b := newBed(t)
	s := lines("s", frames)
	for i := range s.events {
		s.events[i] = fmt.Sprintf(`{"type":"TokenStreamChunk","chunk":"token %d","intent_id":"i"}`+"\n", i)
	}
	b.putFrames(t, s.single()...)
	durable := b.consumer(t, b.conn, time.Second).CachedInfo().Name
	// Of those that begin at one place two are let be, the next ones try. A process may get no further than one fetch, since what it
	// acknowledges right before it ends is lost.
	const most = poison/fetchOfTrial + 1 + startsMax + triesMax
	deaths := 0
	for ; !b.live(t, durable, poison); deaths++ {
		if deaths == most {
			t.Fatalf("%d processes ended", deaths)
		}
	}
	rows, _, err := b.silverRows(t)
	if err != nil || len(rows) != frames {
		t.Errorf("%d rows, %v; want one a frame", len(rows), err)
	}
	dead := all(t, b.Dead())
	if len(dead) != 1 || dead[0].Header.Get(HeaderBronzeSeq) != "23" || !strings.Contains(dead[0].Header.Get(HeaderReason), "the program ended") {
		t.Errorf("DEAD has %d letters: %v", len(dead), dead)
	}
	if len(dead) == 1 && (dead[0].Header.Get(streams.HeaderStream) != "s" || dead[0].Header.Get(HeaderWorkflow) != "wf") {
		t.Errorf("the letter does not tell where the frame came from: %v", dead[0].Header)
	}
	trials, err := OpenTrials(testContext(t), b.State())
	if err != nil || len(trials.known.Tried) != 1 || !trials.deadly(23) {
		t.Errorf("what is left: %+v, %v; want that one frame", trials.known, err)
	}
	if consumer, err := b.Bronze().Consumer(testContext(t), durable); err != nil || trials.begin(testContext(t), consumer, 1) != nil || trials.through > 0 {
		t.Errorf("the next process tries frames up to %d, %v", trials.through, err)
	}
}

const fetchOfTrial = 10 // frames

// live runs a process until all frames are processed, or it ends at the poison, from where on it says nothing more. It reports
// whether all are.
func (b *bed) live(t *testing.T, durable string, poison uint64) (survived bool) {
	t.Helper()
	conn := b.connect(t)
	defer conn.Close()
	log := streamstest.Open(t, conn)
	trials, err := OpenTrials(testContext(t), log.State())
	if err != nil {
		t.Fatal(err)
	}
	died := make(chan struct{})
	o := b.options()
	o.Trials, o.Publisher, o.Workers, o.MaxFetch = trials, log, 1, fetchOfTrial
	o.Decoder = decodeFunc(func(f *streams.Frame, seq uint64) []bronze.Event {
		if f.Position == poison {
			conn.Close() // what this process does from now on nobody hears of
			close(died)
			panic("out of memory")
		}
		return bronze.NewDecoder().Decode(f, seq)
	})
	consumer, err := log.Bronze().Consumer(testContext(t), durable)
	if err != nil {
		t.Fatal(err)
	}
	defer start(t, o, consumer)()
	until(t, "the process ends, or all frames are processed", func(ctx context.Context) (bool, error) {
		select {
		case <-died:
			return true, nil
		default:
		}
		info, err := consumer.Info(ctx)
		survived = err == nil && info.NumPending == 0 && info.NumAckPending == 0
		return survived, nil
	})
	return survived
}
