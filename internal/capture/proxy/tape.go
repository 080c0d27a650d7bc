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

// taped is a body whose bytes go onto a tape as they are read.
type taped struct {
	io.ReadCloser
	tape *tape
}

func (b *taped) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.tape.put(p[:n])
	if err != nil {
		b.tape.close()
	}
	return n, err
}

func (b *taped) Close() error {
	b.tape.close()
	return b.ReadCloser.Close()
}
