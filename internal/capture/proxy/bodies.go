package proxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// What is read of a request that its upstream server did not want, in bytes and time, so that the connection serves the
// next one.
const (
	unwantedBytesMax = 1 << 20
	unwantedTimeMax  = time.Second
)

// requestBody is the body of a request, on its way to the upstream server and onto a tape. The transport may read it in a
// goroutine that outlives the handler, which the server does not allow: so one Read at a time, and none after letGo.
type requestBody struct {
	body  io.ReadCloser
	tape  *tape
	ended atomic.Bool // it was read to its end

	mu  sync.Mutex // held by a Read
	err error      // what every further Read returns
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.body.Read(p)
	b.tape.put(p[:n])
	if err != nil {
		b.err = err
		b.ended.Store(errors.Is(err, io.EOF))
		b.tape.close()
	}
	return n, err
}

// Close does nothing: the server closes the body.
func (b *requestBody) Close() error { return nil }

// letGo ends a Read that is under way, reads what is left, within bounds, and lets nobody read any more.
func (b *requestBody) letGo(w http.ResponseWriter) {
	if b.ended.Load() {
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(unwantedTimeMax))
	_, _ = io.CopyN(io.Discard, b, unwantedBytesMax)
	if b.ended.Load() {
		_ = control.SetReadDeadline(time.Time{})
		return
	}
	_ = control.SetReadDeadline(time.Now())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = http.ErrBodyReadAfterClose
}

// responseBody is the body of an answer, on its way to the client and onto a tape.
type responseBody struct {
	io.ReadCloser
	x *exchange
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.x.response.tape.put(p[:n])
	b.x.fetched(n)
	if !b.x.packed() {
		_, _ = b.x.ids.Write(p[:n]) // before the client can refer to it
	}
	if err != nil {
		b.x.end(err)
	}
	return n, err
}

// Close closes an answer that was read to its end. What the client did not read of another is fetched all the same, as far
// as the limits on that go.
func (b *responseBody) Close() error {
	select {
	case <-b.x.over:
		return b.ReadCloser.Close()
	default:
	}
	b.x.clientLeft()
	b.x.proxy.group.Go(func() {
		_, _ = io.Copy(io.Discard, b)
		_ = b.ReadCloser.Close()
	})
	return nil
}
