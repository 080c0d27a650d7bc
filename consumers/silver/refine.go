package silver

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"assay/consumers/bronze"
	"assay/streams"
)

// maxPayload bounds the payload of a row, in bytes: a batch with it, its text and its fragments must fit into one
// message. Capture refuses larger events already; another client of the log may not.
const maxPayload = 16 << 20

// Events returns the events of a message of BRONZE of which Run makes rows. It is pure, so whoever has the log can find out
// what the rows must be. A message that is no frame is itself a dead event.
func (o *Options) Events(m streams.Message) []bronze.Event {
	frame, err := streams.ParseFrame(m.Subject, m.Header, m.Data, m.Seq, m.Time)
	if err != nil {
		return []bronze.Event{bronze.DeadFrame(m.Subject, m.Data, m.Seq, m.Time, err)}
	}
	events := o.Decode(frame, m.Seq)
	for i := range events {
		if e := &events[i]; len(e.Payload) > maxPayload {
			e.Kill(fmt.Sprintf("it has %d bytes; %d are allowed", len(e.Payload), maxPayload))
		}
	}
	return events
}

// NewBatch returns an empty batch as Run fills them. The caller releases it.
func (o *Options) NewBatch() *Batch { return NewBatch(memory.DefaultAllocator, o.Namespace, o.Keys) }
