package deadletter

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/streams"
	"assay/streams/streamstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// event is a dead event of a frame.
func event(seq, position uint64, raw string) *bronze.Event {
	return &bronze.Event{
		Source: "event", StreamID: "a/b ü", WorkflowID: "w", BronzeSeq: seq, Position: position, Raw: []byte(raw),
		Reason: "  not JSON:\r\nat byte 3\t", Disposition: bronze.Dead,
	}
}

func of(t *testing.T, msg *nats.Msg) Letter {
	t.Helper()
	l, ok := Of(msg.Subject, msg.Header, msg.Data)
	if !ok {
		t.Fatalf("%+v is no letter of a frame", msg)
	}
	return l
}

func publish(t *testing.T, log *streams.Log, msgs ...*nats.Msg) {
	t.Helper()
	for _, msg := range msgs {
		if err := log.PublishMsgs(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
}

// compared reads DEAD into the ledger and returns what Compare finds.
func compared(t *testing.T, log *streams.Log, l *Ledger, span Span) (tally Tally, found []Finding) {
	t.Helper()
	if err := l.Read(t.Context(), log.Dead(), 0, nil); err != nil {
		t.Fatal(err)
	}
	tally, err := l.Compare(t.Context(), log.Bronze(), span, func(f *Finding) error {
		found = append(found, *f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tally, found
}

func opened(t *testing.T) *Ledger {
	t.Helper()
	l, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// A letter comes back from the log as it was rendered, whatever the reason says.
func TestLetterComesBackAsItWas(t *testing.T) {
	log, l := streamstest.NewLog(t), opened(t)
	for i, reason := range []string{"", " ", "a\x00b", "ends in a tab\t", "\ttwo\nlines\r\n", "é\u00a0", "colon: \"quoted\"", "\xff"} {
		e := event(uint64(i+1), 0, "\x00\xff raw\r\n")
		e.Kill(reason)
		msg := silver.DeadLetter(e)
		if err := l.Expect([]Letter{of(t, msg)}); err != nil {
			t.Fatal(err)
		}
		publish(t, log, msg)
	}
	if _, found := compared(t, log, l, Span{First: 1, Last: 100, KeptFrom: 1}); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}

// Each way in which DEAD may differ from BRONZE is found, and nothing else is.
func TestCompareNamesEveryDifference(t *testing.T) {
	log, l := streamstest.NewLog(t), opened(t)
	for i := range 12 {
		frame := nats.NewMsg("bronze.event.w")
		frame.Data = []byte(strconv.Itoa(i))
		publish(t, log, frame)
	}
	if err := log.Bronze().DeleteMsg(t.Context(), 9); err != nil {
		t.Fatal(err)
	}
	right := func(seq, position uint64) *nats.Msg { return silver.DeadLetter(event(seq, position, "raw")) }
	again := right(3, 1)
	again.Header.Del(nats.MsgIdHdr) // as after the log has forgotten its id
	wrong := silver.DeadLetter(event(5, 0, "raX"))
	wrong.Header.Del(nats.MsgIdHdr)
	stranger, foreign := nats.NewMsg("dead.poison"), nats.NewMsg("dead.event")
	foreign.Header.Set(silver.HeaderBronzeSeq, "seven")
	other := right(6, 0)
	other.Header.Set(silver.HeaderReason, "another reason")
	publish(t, log,
		right(3, 1), right(3, 0), again, // 1 to 3: in another order, and twice
		right(5, 0), wrong, // 4 and 5: besides the right one
		other,                                  // 6
		right(7, 0),                            // 7: no frame yields it
		right(1, 0), right(9, 0), right(20, 0), // 8 to 10: whose frames have left, are gone, are still to come
		silver.PromotionLetter("w", "id", "r", 1, nil), silver.BatchLetter("r", 1, nil), stranger, foreign,
	)
	for _, want := range []*nats.Msg{right(3, 0), right(3, 1), right(4, 7), right(5, 0), right(6, 0), right(8, 2)} {
		for range 2 { // as after an interruption
			if err := l.Expect([]Letter{of(t, want)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	tally, found := compared(t, log, l, Span{First: 3, Last: 12, KeptFrom: 5})
	want := []Finding{
		{ID: ID{5, 0}, Expected: true, Right: true, Parts: []string{"raw"}, Wrong: []uint64{5}},
		{ID: ID{6, 0}, Expected: true, Parts: []string{"reason"}, Wrong: []uint64{6}},
		{ID: ID{7, 0}, Wrong: []uint64{7}},
		{ID: ID{8, 2}, Expected: true},
	}
	if !reflect.DeepEqual(found, want) {
		t.Errorf("found %+v\nwant %+v", found, want)
	}
	// Of frames 1 and 9, which are gone; and 4, whose letter may have left DEAD.
	if want := (Tally{Expected: 6, Stored: 10, Unprovable: 3}); tally != want {
		t.Errorf("counted %+v, want %+v", tally, want)
	}
}

// Whatever order letters come in, and however often: what is found is what sets differ in.
func TestCompareIsADifferenceOfSets(t *testing.T) {
	log := streamstest.NewLog(t)
	for range 8 {
		publish(t, log, nats.NewMsg("bronze.event.w"))
	}
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		if err := log.Dead().Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		l, want := opened(t), map[string]bool{}
		var letters []*nats.Msg
		for range 40 {
			id := ID{rng.Uint64N(8) + 1, rng.Uint64N(4)}
			letter := silver.DeadLetter(event(id.Seq, id.Position, "raw"))
			letter.Header.Del(nats.MsgIdHdr)
			expected, there := hash(seed, id)%3 > 0, hash(seed, id)%5 > 0
			if expected {
				if err := l.Expect([]Letter{of(t, letter)}); err != nil {
					t.Fatal(err)
				}
			}
			if there {
				letters = append(letters, letter)
			}
			if expected != there {
				want[id.String()] = expected
			}
		}
		publish(t, log, letters...)
		got := map[string]bool{}
		_, found := compared(t, log, l, Span{First: 1, Last: 8, KeptFrom: 1})
		for _, f := range found {
			if got[f.String()] = f.Missing(); f.Right || f.Expected != f.Missing() {
				t.Errorf("seed %d: found %+v", seed, f)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: found %v, want %v", seed, got, want)
		}
	}
}

// hash decides about an id, the same each time.
func hash(seed uint64, id ID) uint64 {
	return rand.New(rand.NewPCG(seed, id.Seq<<8|id.Position)).Uint64()
}

// The parts have distinct places in a signature.
func TestSignaturesDifferWhereLettersDo(t *testing.T) {
	base := of(t, silver.DeadLetter(event(1, 0, "raw")))
	for want, change := range map[string]func(*bronze.Event){
		"source": func(e *bronze.Event) { e.Source = "sse" }, "stream_id": func(e *bronze.Event) { e.StreamID = "c" },
		"workflow_id": func(e *bronze.Event) { e.WorkflowID = "v" }, "reason": func(e *bronze.Event) { e.Kill("r") },
		"raw": func(e *bronze.Event) { e.Raw = nil },
	} {
		e := event(1, 0, "raw")
		change(e)
		other := of(t, silver.DeadLetter(e))
		if got := base.signature.differing(other.signature); !slices.Equal(got, []string{want}) {
			t.Errorf("they differ in %v, want %v", got, want)
		}
	}
	if id := fmt.Sprint(base.ID); id != "1/0" {
		t.Errorf("the letter is %s", id)
	}
}
