package silver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"assay/consumers/bronze"
)

// Under lag batches grow to their limit, however few frames a fetch brings; without, age cuts them.
func TestBatchesGrowUnderLag(t *testing.T) {
	b := newBed(t)
	b.putFrames(t, lines("lag", 400).single()...)
	seen := &sink{rows: table{}}
	o := b.options()
	o.Publisher, o.Workers, o.MaxFetch, o.MaxRows, o.MaxAge = publishFunc(seen.publish), 1, 10, 100, time.Hour
	c := b.consumer(t, b.conn, time.Hour)
	b.process(t, o, c)
	if fmt.Sprint(seen.messages) != "[100 100 100 100]" {
		t.Errorf("batches of %v rows, want four full ones", seen.messages)
	}

	o.MaxAge = time.Millisecond
	b.putFrames(t, lines("idle", 1).single()...)
	b.process(t, o, c)
	if len(seen.messages) != 5 || seen.messages[4] != 1 {
		t.Errorf("batches of %v rows, want the last to be of one", seen.messages)
	}
}

func TestLargeBatchBecomesSeveralMessages(t *testing.T) {
	b := newBatch(t)
	for i := range 3 {
		b.Append(&bronze.Event{
			Kind: "x", StreamID: "s", Position: uint64(i), Disposition: bronze.Kept,
			Payload: strings.Repeat("x", messageBytesMax/2),
		})
	}
	msgs, err := b.messages(0)
	if err != nil || len(msgs) != 3 {
		t.Fatalf("%d messages, %v; want 3", len(msgs), err)
	}
	for i, msg := range msgs {
		record, err := Decode(memory.DefaultAllocator, msg.Data)
		if err != nil {
			t.Fatal(err)
		}
		position := record.Column(Schema.FieldIndices(ColPosition)[0]).(*array.Int64)
		if len(msg.Data) > messageBytesMax || position.Len() != 1 || position.Value(0) != int64(i) {
			t.Errorf("message %d: %d bytes, positions %v", i, len(msg.Data), position)
		}
		record.Release()
	}
}
