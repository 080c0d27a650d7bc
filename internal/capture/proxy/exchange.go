package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"assay/streams"
)

// What is fetched of an answer once its client has gone, in bytes and time: the rest of an error that it did not read, the
// end of a stream of which it had seen enough. A long answer that was cancelled is not to go on at its user's cost.
const (
	unreadBytesMax = 1 << 20
	unreadTimeMax  = 2 * time.Second
)

// errLeft is the cause that ends a request to the upstream server whose client has gone.
var errLeft = errors.New("the client left before the answer was whole")

// body is one direction of an exchange.
type body struct {
	side   streams.Side
	header http.Header
	tape   *tape
}

// exchange is a request and its answer.
type exchange struct {
	proxy    *Proxy
	id       string
	named    string // the workflow that the request's headers name; "" if none
	place    *place
	ids      idFinder // in the answer
	request  body
	response body

	ctx    context.Context // of the request to the upstream server: it outlives the client a little
	cancel context.CancelCauseFunc
	unbind func() bool   // from the client's context
	upload *requestBody  // nil if the request has no body
	begun  chan struct{} // closed when the answer's header is known, or there will be none
	over   chan struct{} // closed when all has passed, after which entry stays as it is

	mu     sync.Mutex
	left   bool // the client has
	unread int  // bytes of the answer that may still be fetched when it has
	done   bool
	entry  entry
}

// exchangeKey is the context key of a request's exchange.
type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

func newExchange(p *Proxy, r *http.Request) *exchange {
	id := uuid.Must(uuid.NewV7()).String()
	x := &exchange{
		proxy: p, id: id, named: workflowOfHeader(r.Header), place: &place{known: make(chan struct{})},
		begun: make(chan struct{}), over: make(chan struct{}), unread: unreadBytesMax,
		request:  body{streams.SideClient, r.Header.Clone(), newTape(&p.room)},
		response: body{streams.SideServer, http.Header{}, newTape(&p.room)},
		entry:    entry{Exchange: id, Method: r.Method, Path: clip(r.URL.Path, pathBytesMax), Traceparent: clip(r.Header.Get("Traceparent"), rateLimitBytes), StartedAt: time.Now().UTC()},
	}
	if r.Body == nil || r.Body == http.NoBody {
		x.request.tape.close()
	} else {
		x.upload = &requestBody{body: r.Body, tape: x.request.tape}
	}
	ctx := context.WithValue(context.WithoutCancel(r.Context()), exchangeKey{}, x)
	x.ids.found = func(id string) { p.answers.put(id, x.place) }
	x.ctx, x.cancel = context.WithCancelCause(ctx)
	x.unbind = context.AfterFunc(r.Context(), x.clientLeft)
	return x
}

// begin says that the answer's header is known.
func (x *exchange) begin(response *http.Response) {
	x.response.header = response.Header.Clone()
	x.mu.Lock()
	defer x.mu.Unlock()
	now := time.Now().UTC()
	x.entry.Status, x.entry.FirstByteAt = response.StatusCode, &now
	x.entry.RateLimit = rateLimit(response.Header)
	close(x.begun)
}

// packed reports whether the answer is compressed, and so cannot be looked into as it passes.
func (x *exchange) packed() bool { return x.response.header.Get("Content-Encoding") != "" }

// clientLeft gives the upstream server a little time to end its answer.
func (x *exchange) clientLeft() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.left || x.done {
		return
	}
	x.left = true
	timer := time.AfterFunc(unreadTimeMax, func() { x.cancel(errLeft) })
	context.AfterFunc(x.ctx, func() { timer.Stop() })
}

// fetched counts n bytes of the answer.
func (x *exchange) fetched(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.entry.ResponseBytes += int64(n)
	if x.left {
		if x.unread -= n; x.unread < 0 {
			x.cancel(errLeft)
		}
	}
}

// passed says that the handler of the request is done. An answer that was not read to its end goes on being fetched.
func (x *exchange) passed() {
	x.unbind()
	x.request.tape.close()
	select {
	case <-x.begun:
	default:
		x.end(errLeft) // a panic before there was an answer
	}
}

// end says that nothing more will pass, and why: nil or io.EOF for the answer's end. Only the first call counts. What was
// the upstream server's fault is reported.
func (x *exchange) end(err error) {
	x.response.tape.close()
	if fault := x.close(err); fault != nil {
		x.proxy.opts.Report(fault)
	}
}

func (x *exchange) close(err error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.done {
		return nil
	}
	x.done = true
	x.entry.EndedAt = time.Now().UTC()
	x.entry.End = x.howEnded(err)
	if x.entry.FirstByteAt == nil {
		close(x.begun)
	}
	x.cancel(nil)
	defer close(x.over)
	if x.entry.End == endComplete || x.entry.End == endClientLeft { // which say all there is to say
		return nil
	}
	x.entry.Error = clip(strings.ToValidUTF8(err.Error(), "\ufffd"), errorBytesMax)
	return fmt.Errorf("%w: %w", ErrUpstream, err)
}

func (x *exchange) howEnded(err error) string {
	var timeout net.Error
	switch {
	case err == nil, x.entry.FirstByteAt != nil && errors.Is(err, io.EOF):
		return endComplete
	case x.left, errors.Is(err, errLeft):
		return endClientLeft
	case errors.As(err, &timeout) && timeout.Timeout():
		return endTimeout
	case x.entry.FirstByteAt == nil:
		return endUnreachable
	}
	return endUpstreamCut
}
