package silver

import (
	"crypto/sha1"
	"fmt"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"assay/consumers/bronze"
	"assay/kernels"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var namespace = uuid.MustParse("91e8f5f8-3e28-592a-ab23-5295dcf92dd7")

func newBatch(t testing.TB) *Batch {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	b := NewBatch(mem, namespace, &bronze.Keys{})
	t.Cleanup(func() {
		b.Release()
		mem.AssertSize(t, 0)
	})
	return b
}

// row is the identity part of a row.
type row struct{ event, entity string }

func rows(t testing.TB, b *Batch) []row {
	t.Helper()
	record, err := b.Record()
	if err != nil {
		t.Fatal(err)
	}
	defer record.Release()
	var out []row
	id := func(column string, i int) string {
		c := record.Column(Schema.FieldIndices(column)[0]).(*array.FixedSizeBinary)
		return uuid.UUID(c.Value(i)).String()
	}
	for i := range int(record.NumRows()) {
		out = append(out, row{id(ColEventUUID, i), id(ColEntityUUID, i)})
	}
	return out
}

func TestIdentitiesAreThoseThatAnyoneCanCompute(t *testing.T) {
	b := newBatch(t)
	digest := sha1.Sum([]byte("x"))
	events := []bronze.Event{
		{Kind: "tool_invocation", EventID: "ev-1", IntentID: " Intent-1", WorkflowID: "WF-1 ", StreamID: "s", Disposition: bronze.Kept},
		{Kind: "odd", WorkflowID: "w", StreamID: "A|b", Position: 7, Digest: digest, Disposition: bronze.Kept},
		{Kind: bronze.KindRPCNotification, WorkflowID: "w", StreamID: "S", Digest: digest, Disposition: bronze.Shed},
	}
	want := []row{
		// Python: uuid.uuid5(ns, "ev-1") and uuid.uuid5(ns, "intent-1|wf-1")
		{kernels.UUID(namespace, "ev-1").String(), "1cdacc33-d298-5473-a93a-77920f2c2dda"},
		{
			kernels.UUID(namespace, fmt.Sprintf(`A\|b|7|%x`, digest)).String(),
			kernels.UUID(namespace, fmt.Sprintf(`A\|b|7|%x`, digest)).String(),
		},
		{kernels.UUID(namespace, fmt.Sprintf(`S|0|%x`, digest)).String(), kernels.UUID(namespace, "s|w").String()},
	}
	for round := range 2 { // a batch is reused
		for i := range events {
			b.Append(&events[i])
		}
		for i, got := range rows(t, b) {
			if got != want[i] {
				t.Errorf("round %d, event %d: %v, want %v", round, i, got, want[i])
			}
		}
	}
}

// An identity must not depend on what else is in the batch, nor on where.
func TestIdentitiesDoNotDependOnTheBatch(t *testing.T) {
	event := rapid.Custom(func(t *rapid.T) bronze.Event {
		text := rapid.StringN(0, 6, -1)
		return bronze.Event{
			Kind:    rapid.SampledFrom([]string{"tool_invocation", "epistemic_promotion", "rpc_progress", "x"}).Draw(t, "kind"),
			EventID: text.Draw(t, "id"), IntentID: text.Draw(t, "intent"), WorkflowID: text.Draw(t, "workflow"),
			StreamID: text.Draw(t, "stream"), Position: rapid.Uint64Range(0, 9).Draw(t, "position"),
			Digest: sha1.Sum([]byte(text.Draw(t, "bytes"))), Disposition: bronze.Kept,
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		events := rapid.SliceOfN(event, 1, 20).Draw(rt, "events")
		together, alone := newBatch(t), newBatch(t)
		for i := range events {
			together.Append(&events[i])
		}
		for i, got := range rows(t, together) {
			alone.Append(&events[i])
			if want := rows(t, alone)[0]; got != want {
				rt.Fatalf("event %d is %v in a batch and %v alone", i, got, want)
			}
			if id := EventUUID(namespace, &events[i]).String(); id != got.event {
				rt.Fatalf("EventUUID gives %s, the batch %s", id, got.event)
			}
		}
	})
}

func TestEncodeDecode(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	b := NewBatch(mem, namespace, &bronze.Keys{})
	defer b.Release()
	e := bronze.Event{
		Kind: "text_delta", IntentID: "s", StreamID: "s", Text: "héllo", Payload: `{"a":1}`, CapturedAt: time.Unix(1, 5000).UTC(),
		Fragments: []bronze.Fragment{{Part: "0", Type: bronze.FragmentText, Text: "héllo"}}, InputTokens: -1, OutputTokens: 3,
		Disposition: bronze.Kept,
	}
	b.Append(&e)
	record, err := b.Record()
	if err != nil {
		t.Fatal(err)
	}
	defer record.Release()
	message, err := Encode(mem, record)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(mem, message)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Release()
	if !array.RecordEqual(record, back) {
		t.Errorf("got %v, want %v", back, record)
	}
	for cut := range message {
		if r, err := Decode(mem, message[:cut]); err == nil {
			r.Release()
			if cut < len(message)-8 { // the end marker may be missing
				t.Errorf("a batch cut at %d of %d bytes decodes", cut, len(message))
			}
		}
	}
}
