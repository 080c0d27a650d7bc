package silver

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"assay/consumers/bronze"
	"assay/streams"
)

// Limits of what becomes a row. Capture keeps to them; another client of the log may not.
const (
	// rowBytesMax bounds the texts of a row, so that a batch of it alone is a message that the log takes and that fits
	// into one fetch (streams.FetchBytesMax).
	rowBytesMax = 28 << 20
	// workflowBytesMax bounds a workflow's id: escaped, it is always a legal subject (streams.SubjectBytesMax).
	workflowBytesMax = 675
)

// Events returns the events of a message of BRONZE of which Run makes rows. It is pure, so whoever has the log can find
// out what the rows must be. A message that is no frame is itself a dead event, and so is a record that holds an
// event of which no row can be made.
func (o *Options) Events(m streams.Message) []bronze.Event {
	events := o.decode(m)
	if o.Forgotten == nil {
		return events
	}
	forwarded := streams.EdgeTime(m.Header)
	return slices.DeleteFunc(events, func(e bronze.Event) bool {
		return o.Forgotten.Has(e.WorkflowID, m.Seq) || o.Forgotten.HadBefore(e.WorkflowID, forwarded)
	})
}

func (o *Options) decode(m streams.Message) []bronze.Event {
	frame, err := streams.ParseFrame(m.Subject, m.Header, m.Data, m.Seq, m.Time)
	if err == nil && len(frame.Stream) > streams.StreamBytesMax {
		err = fmt.Errorf("%w: stream id has %d bytes, the limit is %d", streams.ErrFrame, len(frame.Stream), streams.StreamBytesMax)
	}
	if err != nil {
		return []bronze.Event{bronze.DeadFrame(m.Subject, m.Data, m.Seq, m.Time, err)}
	}
	if o.Trials.deadly(m.Seq) {
		return []bronze.Event{bronze.DeadFrameOf(frame, m.Seq, errDeadly)}
	}
	events, err := o.decodeFrame(frame, m.Seq)
	if err != nil {
		return []bronze.Event{bronze.DeadFrameOf(frame, m.Seq, err)}
	}
	return buryUnfit(frame, events)
}

// decodeFrame decodes a frame. One at which the decoder panics says nothing, to whoever decodes it.
func (o *Options) decodeFrame(frame *streams.Frame, seq uint64) (events []bronze.Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return o.Decoder.Decode(frame, seq), nil
}

// buryUnfit makes one dead event of each record that has an event of which no row can be made.
func buryUnfit(frame *streams.Frame, events []bronze.Event) []bronze.Event {
	first, incomplete := 0, false
	for i := range events {
		if events[i].Part == 0 {
			first = i
		}
		if reason := unfit(&events[i]); reason != "" && events[first].Disposition != bronze.Dead {
			bury(&events[first], frame, reason)
			incomplete = true
		}
	}
	if !incomplete {
		return events
	}
	dead := false
	return slices.DeleteFunc(events, func(e bronze.Event) bool {
		if e.Part == 0 {
			dead = e.Disposition == bronze.Dead
		}
		return dead && e.Part > 0
	})
}

// NewBatch returns an empty batch as Run fills them. The caller releases it.
func (o *Options) NewBatch() *Batch { return NewBatch(memory.DefaultAllocator, o.Namespace, o.Keys) }

// unfit tells why an event makes no row, "" if it does.
func unfit(e *bronze.Event) string {
	if e.Disposition == bronze.Dead {
		return ""
	}
	if n := len(e.WorkflowID); n > workflowBytesMax {
		return fmt.Sprintf("its workflow id has %d bytes; %d are allowed", n, workflowBytesMax)
	}
	if n := rowBytes(e); n > rowBytesMax {
		return fmt.Sprintf("its row has %d bytes; %d are allowed", n, rowBytesMax)
	}
	return ""
}

// bury makes e a dead event that keeps nothing of what it said but its bytes.
func bury(e *bronze.Event, frame *streams.Frame, reason string) {
	*e = bronze.Event{
		Source: e.Source, StreamID: e.StreamID, Position: e.Position, WorkflowID: frame.Workflow,
		CapturedAt: e.CapturedAt, BronzeSeq: e.BronzeSeq, Bytes: e.Bytes, Digest: e.Digest,
		InputTokens: -1, OutputTokens: -1, CachedTokens: -1, ReasoningTokens: -1, WrittenTokens: -1, HourTokens: -1, CostUSD: -1, Raw: e.Raw,
	}
	e.Kill(reason)
}

// rowBytes is about the size of e's row, in bytes: its texts, and what the other columns take.
func rowBytes(e *bronze.Event) int {
	const fixed = 192
	n := fixed + len(e.Kind) + len(e.WorkflowID) + len(e.IntentID) + len(e.AgentID) + len(e.Capability) +
		len(e.StreamID) + len(e.Role) + len(e.Title) + len(e.EventID) + len(e.ParentID) + len(e.FinishReason) + len(e.Error)
	if e.Disposition != bronze.Kept {
		return n
	}
	for i := range e.Fragments {
		f := &e.Fragments[i]
		n += 64 + len(f.Part) + len(f.ID) + len(f.Name) + len(f.Text)
	}
	return n + len(e.Text) + len(e.Payload)
}
