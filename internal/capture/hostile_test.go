package capture_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"assay/internal/capture"
	"assay/streams"
)

// A small body that becomes a huge event costs no more memory than the event limit.
func TestHandlerSurvivesABomb(t *testing.T) {
	server := serve(t, capture.HandlerOptions{Publisher: discard{}})
	for encoding, body := range map[string]io.Reader{"gzip": bombGzip(), "zstd": bombZstd()} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := post(t, server, "event/w", body, "Content-Encoding", encoding)
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; got.status != http.StatusRequestEntityTooLarge || allocated > 128<<20 {
			t.Errorf("%s: status %d, %d MiB allocated", encoding, got.status, allocated>>20)
		}
	}
}

func bombGzip() io.Reader {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = io.CopyN(w, &repeat{line: make([]byte, 1<<20)}, 128<<20)
	_ = w.Close()
	return &b
}

func bombZstd() io.Reader {
	var b bytes.Buffer
	w, _ := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	_, _ = io.CopyN(w, &repeat{line: make([]byte, 1<<20)}, 128<<20)
	_ = w.Close()
	return &b
}

// dial opens a connection and begins a request by hand.
func dial(t *testing.T, server *httptest.Server, head string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	return conn
}

func answerOf(t *testing.T, conn net.Conn) reply {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return readReply(t, response)
}

func TestHandlerGivesUpOnASilentClient(t *testing.T) {
	log := &fakeLog{}
	server := serve(t, capture.HandlerOptions{Publisher: log, OpenStreams: 1, Idle: 20 * time.Millisecond})
	conn := dial(t, server, "POST /v1/ingest/event/w HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}\n{\"half\":")
	if got := answerOf(t, conn); got.status != http.StatusRequestTimeout || got.Accepted == nil || got.Accepted.Events != 1 {
		t.Errorf("%+v, want 408 and one event accepted", got)
	}
	if got := post(t, server, "event/w", strings.NewReader("{}\n")); got.status != http.StatusOK {
		t.Errorf("the next client: %+v", got)
	}
}

func TestHandlerGivesUpOnASlowClient(t *testing.T) {
	server := serve(t, capture.HandlerOptions{Publisher: &fakeLog{}, Timeout: 20 * time.Millisecond})
	conn := dial(t, server, "POST /v1/ingest/event/w HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}\n{\"half\":")
	if got := answerOf(t, conn); got.status != http.StatusRequestTimeout || !strings.Contains(got.Error, "too long") {
		t.Errorf("%+v, want 408 for the time it took", got)
	}
}

func TestHandlerKeepsWhatCameBeforeADisconnect(t *testing.T) {
	published := make(chan struct{}, 1)
	log := &fakeLog{gate: func(context.Context) error { published <- struct{}{}; return nil }}
	server := serve(t, capture.HandlerOptions{Publisher: log})
	conn := dial(t, server, "POST /v1/ingest/event/w HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}\n{}\n{\"half\":")
	_ = conn.Close()
	<-published
	server.Close() // waits for the request
	if got := string(joined(log)); got != "{}\n{}\n" {
		t.Errorf("kept %q", got)
	}
}

func TestHandlerAnswersAShortBody(t *testing.T) {
	server := serve(t, capture.HandlerOptions{Publisher: &fakeLog{}})
	conn := dial(t, server, "POST /v1/ingest/event/w HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}\n")
	_ = conn.(*net.TCPConn).CloseWrite()
	if got := answerOf(t, conn); got.status != http.StatusBadRequest || got.Accepted == nil {
		t.Errorf("%+v, want 400 with what was accepted", got)
	}
}

func TestHandlerLimitsOpenStreams(t *testing.T) {
	started := make(chan struct{}, 1)
	release := make(chan struct{})
	log := &fakeLog{gate: func(context.Context) error { started <- struct{}{}; <-release; return nil }}
	server := serve(t, capture.HandlerOptions{Publisher: log, OpenStreams: 1})
	var wg sync.WaitGroup
	wg.Go(func() { post(t, server, "event/w", strings.NewReader("{}\n")) })
	<-started
	got := post(t, server, "event/w", strings.NewReader("{}\n"))
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("%+v, want 429 with Retry-After", got)
	}
	close(release)
	wg.Wait()
}

// Memory is bounded however long a body is.
func TestHandlerTakesALongBodyInLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 256 MB")
	}
	const size, limit = 256 << 20, 80 << 20
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // so that the heap is little more than what is held
	line := []byte(lines(1, 1000))
	log := &heapWatch{}
	server := serve(t, capture.HandlerOptions{Publisher: log})
	got := post(t, server, "event/w", io.LimitReader(&repeat{line: line}, size/int64(len(line))*int64(len(line))))
	if got.status != http.StatusOK || got.Events != size/len(line) {
		t.Errorf("%+v", got)
	}
	if log.highest > limit {
		t.Errorf("the heap grew to %d MiB", log.highest>>20)
	}
}

// heapWatch is a Publisher that notes the size of the heap.
type heapWatch struct {
	discard
	highest uint64
}

func (h *heapWatch) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	h.highest = max(h.highest, stats.HeapAlloc)
	return h.discard.Publish(ctx, frames...)
}

// repeat is an endless file of one line.
type repeat struct {
	line []byte
	rest []byte
}

func (r *repeat) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(r.rest) == 0 {
			r.rest = r.line
		}
		m := copy(p[n:], r.rest)
		r.rest = r.rest[m:]
		n += m
	}
	return n, nil
}

func TestHandlerEndsOpenBodiesWhenItStops(t *testing.T) {
	log, published := &fakeLog{}, make(chan struct{}, 1)
	log.gate = func(context.Context) error { published <- struct{}{}; return nil }
	stopping, stop := context.WithCancel(context.Background())
	server := serve(t, capture.HandlerOptions{Publisher: log, Stopping: stopping})
	conn := dial(t, server, "POST /v1/ingest/event/w HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n")
	<-published
	stop()
	if got := answerOf(t, conn); got.status != http.StatusServiceUnavailable || got.Accepted == nil || got.Accepted.Events != 1 {
		t.Errorf("%+v, want 503 and one event accepted", got)
	}
}
