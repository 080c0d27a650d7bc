package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Clients that hang, lie about their length, send rubbish or a bomb, or go away, cost a good client nothing.
func TestBadClientsCostOthersNothing(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server, url := serve(t, data)
	var bad sync.WaitGroup
	for range 4 {
		hang(t, url)
		bad.Go(func() { lie(t, url) })
		bad.Go(func() { rubbish(t, url) })
		bad.Go(func() { bomb(t, url) })
		bad.Go(func() { vanish(t, url) })
	}
	var want strings.Builder
	for i := range 50 {
		text := body(10*i, 10)
		if status, answer := send(t, url, "good", "good", text); status != http.StatusOK {
			t.Errorf("the good client is told %d: %s", status, answer)
		}
		want.WriteString(text)
	}
	bad.Wait()
	server.stop(t)
	if got := output(t, "replay", "--data", data, "--workflow", "good"); string(got) != want.String() {
		t.Errorf("of the good client's %d bytes the log has %d, or others", want.Len(), len(got))
	}
}

// begun opens a connection and says that a body of 100 bytes follows, and its beginning.
func begun(t *testing.T, url string) net.Conn {
	t.Helper()
	host := strings.TrimPrefix(url, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "POST /v1/ingest/event/bad HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n{}\n{\"half\":", host)
	return conn
}

// hang says no more until the test ends.
func hang(t *testing.T, url string) { begun(t, url) }

// lie ends its half of the connection before the length that it announced, and reads the answer.
func lie(t *testing.T, url string) {
	if conn := begun(t, url); conn != nil {
		_ = conn.(*net.TCPConn).CloseWrite()
		if answer, err := io.ReadAll(conn); err != nil || !bytes.Contains(answer, []byte("400 Bad Request")) {
			t.Errorf("the liar is told %q, %v", answer, err)
		}
	}
}

// vanish is gone in the middle of the body.
func vanish(t *testing.T, url string) {
	if conn := begun(t, url); conn != nil {
		_ = conn.Close()
	}
}

// rubbish sends bytes that are no events; they are taken, and become dead letters.
func rubbish(t *testing.T, url string) {
	if status, answer := send(t, url, "bad", "rubbish", "\x00\xff{[\r\n\"\x1b\n"+strings.Repeat("]", 1<<16)); status != http.StatusOK {
		t.Errorf("rubbish: %d %s", status, answer)
	}
}

// bomb sends a little gzip that unpacks to one event of 256 MiB.
func bomb(t *testing.T, url string) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	zeros := make([]byte, 1<<20)
	for range 256 {
		_, _ = w.Write(zeros)
	}
	_ = w.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/ingest/event/bad", &packed)
	if err != nil {
		t.Error(err)
		return
	}
	request.Header.Set("Content-Encoding", "gzip")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("the bomb is answered with %s", response.Status)
	}
}
