// Package link gives tests a network between two programs that can be cut.
package link

import (
	"context"
	"net"
	"sync"
	"testing"
)

// linkBuffer is how much of a direction a cut link holds beside what the system does.
const linkBuffer = 32 << 10

// Link passes TCP connections on to a server. While it is cut nothing gets through, and nobody is told: connections stay as they are, and
// what was sent arrives once it is mended, as on a network that loses everything for a while.
type Link struct {
	Address string

	to      string
	mu      sync.Mutex
	flows   chan struct{} // closed while nothing is cut
	ended   context.Context
	running sync.WaitGroup
}

// To returns a link to a server at an address, until the test ends.
func To(t testing.TB, to string) *Link {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &Link{Address: listener.Addr().String(), to: to, flows: make(chan struct{}), ended: ended}
	close(l.flows)
	l.running.Go(func() { l.accept(listener) })
	t.Cleanup(func() {
		end()
		listener.Close()
		l.running.Wait()
	})
	return l
}

// Cut lets nothing through any more.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flows = make(chan struct{})
}

// Mend lets through what was held, and what comes. The link must be cut.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.flows)
}

// wait returns true when the link is whole, false when the test has ended.
func (l *Link) wait() bool {
	l.mu.Lock()
	flows := l.flows
	l.mu.Unlock()
	select {
	case <-flows:
		return true
	case <-l.ended.Done():
		return false
	}
}

func (l *Link) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		l.running.Go(func() { l.join(client) })
	}
}

// join passes on both directions of a connection, until one of them ends.
func (l *Link) join(client net.Conn) {
	defer client.Close()
	if !l.wait() {
		return
	}
	server, err := new(net.Dialer).DialContext(l.ended, "tcp", l.to)
	if err != nil {
		return
	}
	defer server.Close()
	stop := context.AfterFunc(l.ended, func() {
		client.Close()
		server.Close()
	})
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { l.pass(server, client) })
	both.Go(func() { l.pass(client, server) })
	both.Wait()
}

// pass copies one direction until it ends, and then ends the other one.
func (l *Link) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, linkBuffer)
	for {
		n, err := from.Read(buffer)
		if n > 0 && l.wait() {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
