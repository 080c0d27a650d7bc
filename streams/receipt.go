package streams

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go"
)

// Ack says where a frame is stored.
type Ack struct {
	Seq       uint64 // in BRONZE; 0: not acknowledged
	Duplicate bool   // the log had this frame already, under Seq
}

// Receipt is the promise of acknowledgements for the frames of one Send.
type Receipt struct {
	done chan struct{} // closed when every frame is settled

	mu   sync.Mutex // guards what follows
	acks []Ack
	left int // frames that are not settled
	err  error
	at   int // the first frame that failed, with err
}

func newReceipt(frames int) *Receipt {
	r := &Receipt{done: make(chan struct{}), acks: make([]Ack, frames), left: frames}
	if frames == 0 {
		close(r.done)
	}
	return r
}

// Wait returns the acknowledgements when every frame is settled, as Publish does. If ctx ends first, it returns those
// that are there, with an error; the frames may be stored later.
func (r *Receipt) Wait(ctx context.Context) ([]Ack, error) {
	select {
	case <-r.done:
		return r.acks, r.err
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == 0 {
		return r.acks, r.err
	}
	return append([]Ack(nil), r.acks...), context.Cause(ctx)
}

// settle records what became of frame i. The error of the first frame that failed is the receipt's.
func (r *Receipt) settle(i int, ack Ack, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && (r.err == nil || i < r.at) {
		r.err, r.at = err, i
	}
	r.acks[i] = ack
	if r.left--; r.left == 0 {
		close(r.done)
	}
}

// failedBefore returns the error of a frame that came before frame i, if any.
func (r *Receipt) failedBefore(i int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at < i {
		return r.err
	}
	return nil
}

// entry is a frame on its way to the log.
type entry struct {
	msg     *nats.Msg
	id      string
	bytes   int // of the message on the wire, at most
	receipt *Receipt
	index   int // of the frame in its receipt
}

// batchHeaderBytesMax is what the headers of an atomic batch add to a message.
const batchHeaderBytesMax = 128

func newEntry(r *Receipt, i int, f *Frame) *entry {
	msg := f.Msg()
	bytes := batchHeaderBytesMax + len(msg.Data)
	for name, values := range msg.Header {
		for _, v := range values {
			bytes += len(name) + len(": ") + len(v) + len("\r\n")
		}
	}
	return &entry{msg: msg, id: msg.Header.Get(nats.MsgIdHdr), bytes: bytes, receipt: r, index: i}
}
