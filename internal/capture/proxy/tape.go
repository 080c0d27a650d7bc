package proxy

import (
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// tapeBytesMax bounds what has passed but is not recorded yet, of all exchanges together.
const tapeBytesMax = 64 << 20

// tape holds a copy of a body between its passing and its recording. put never waits; Read does.
type tape struct {
	room *atomic.Int64 // bytes that all tapes may still take

	mu     sync.Mutex
	some   sync.Cond
	chunks [][]byte
	bytes  int64 // that passed, also those for which there was no room
	end    error // what Read returns behind the chunks; nil while there may be more
}

func newTape(room *atomic.Int64) *tape {
	t := &tape{room: room}
	t.some.L = &t.mu
	return t
}

// put copies data onto the tape, or ends it with ErrBehind if there is no room.
func (t *tape) put(data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes += int64(len(data))
	switch {
	case t.end != nil || len(data) == 0:
		return
	case t.room.Add(-int64(len(data))) < 0:
		t.room.Add(int64(len(data)))
		t.end = ErrBehind
	default:
		t.chunks = append(t.chunks, slices.Clone(data))
	}
	t.some.Signal()
}

// close says that no more will come.
func (t *tape) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.end == nil {
		t.end = io.EOF
	}
	t.some.Signal()
}

// Read waits for what is put.
func (t *tape) Read(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.chunks) == 0 && t.end == nil {
		t.some.Wait()
	}
	if len(t.chunks) == 0 {
		return 0, t.end
	}
	n := copy(p, t.chunks[0])
	if t.chunks[0] = t.chunks[0][n:]; len(t.chunks[0]) == 0 {
		t.chunks = t.chunks[1:]
	}
	t.room.Add(int64(n))
	return n, nil
}

// Close gives the rest up.
func (t *tape) Close() error {
	t.close()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.chunks {
		t.room.Add(int64(len(c)))
	}
	t.chunks = nil
	return nil
}

// total is the number of bytes that passed.
func (t *tape) total() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bytes
}
