package gateway

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Fault is what a network does to a request.
type Fault int

// The faults.
const (
	None      Fault = iota
	Refused         // 503, and the server never sees it
	CutBefore       // the connection is cut, and the server never sees it
	Lost            // 503, although the server did it
	CutAfter        // the connection is cut, although the server did it
	Late            // 503, and the server does it later
	Held            // 503, and the server does it when Release is called
)

// late is how much later, at most.
const late = 2 * time.Second

// Network passes requests on to a server, but for what choose does to them.
type Network struct {
	URL string

	pass   http.Handler
	choose func(*http.Request) Fault
	later  sync.WaitGroup
	ended  chan struct{}
	mu     sync.Mutex
	held   []func()
}

// Through returns a network before the server at an address, until the test ends.
func Through(t testing.TB, address string, choose func(*http.Request) Fault) *Network {
	t.Helper()
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	n := &Network{choose: choose, ended: make(chan struct{}), pass: &httputil.ReverseProxy{
		Transport:    transport,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		// The host is part of what is signed, so requests keep the one that they were made for.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.Out.Host = r.In.Host
		},
	}}
	server := httptest.NewServer(n)
	n.URL = server.URL
	t.Cleanup(func() {
		close(n.ended)
		server.CloseClientConnections()
		server.Close()
		n.later.Wait()
		transport.CloseIdleConnections()
	})
	return n
}

// ServeHTTP implements http.Handler.
func (n *Network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := n.choose(r)
	if fault == None {
		n.pass.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch fault {
	case Lost, CutAfter:
		n.deliver(r, body)
	case Held:
		n.mu.Lock()
		n.held = append(n.held, func() { n.deliver(r, body) })
		n.mu.Unlock()
	case Late:
		n.later.Go(func() {
			select {
			case <-time.After(rand.N(late)):
				n.deliver(r, body)
			case <-n.ended:
			}
		})
	}
	if fault == CutBefore || fault == CutAfter {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

// Release has the server do what was held.
func (n *Network) Release() {
	n.mu.Lock()
	held := n.held
	n.held = nil
	n.mu.Unlock()
	for _, deliver := range held {
		deliver()
	}
}

// deliver has the server do what a request says, whoever waits for an answer.
func (n *Network) deliver(r *http.Request, body []byte) {
	request := r.Clone(context.WithoutCancel(r.Context()))
	request.Body = io.NopCloser(bytes.NewReader(body))
	n.pass.ServeHTTP(httptest.NewRecorder(), request)
}
