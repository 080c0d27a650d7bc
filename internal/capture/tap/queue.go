package tap

import (
	"slices"
	"sync"
	"time"

	"assay/streams"
)

// queueBytesMax bounds what has passed but is not recorded yet.
const queueBytesMax = 64 << 20

// chunk is what one side sent at a time.
type chunk struct {
	side streams.Side
	at   time.Time
	data []byte
}

// queue holds chunks in the order in which they passed. put never waits; take does.
type queue struct {
	mu     sync.Mutex
	some   sync.Cond
	chunks []chunk
	bytes  int
	closed bool
	full   bool // a chunk did not fit: what comes after it is not recorded
}

func newQueue() *queue {
	q := &queue{}
	q.some.L = &q.mu
	return q
}

// put copies data into the queue.
func (q *queue) put(side streams.Side, data []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.full {
		return
	}
	if q.bytes+len(data) > queueBytesMax {
		q.full = true
	} else {
		q.chunks = append(q.chunks, chunk{side, time.Now(), slices.Clone(data)})
		q.bytes += len(data)
	}
	q.some.Signal()
}

// take waits for a chunk. It is not ok once there are no more to come; the error wraps ErrBehind if that is for want of
// room.
func (q *queue) take() (c chunk, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.chunks) == 0 && !q.closed && !q.full {
		q.some.Wait()
	}
	if len(q.chunks) == 0 {
		if q.full {
			err = ErrBehind
		}
		return chunk{}, false, err
	}
	c = q.chunks[0]
	q.chunks = q.chunks[1:]
	q.bytes -= len(c.data)
	return c, true, nil
}

// close says that no more will come.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.some.Signal()
}
