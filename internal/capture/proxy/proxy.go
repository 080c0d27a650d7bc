package proxy

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"assay/internal/capture"
)

// DefaultWorkflow is where requests go that belong to no conversation.
const DefaultWorkflow = "proxy"

// Options configure a Proxy. Upstream, Publisher and Report are required.
type Options struct {
	Upstream  *url.URL
	Transport http.RoundTripper // nil: Go's own, which asks for no compression that the client did not ask for
	Publisher capture.Publisher // should answer soon: an outbox
	Workflow  string            // of requests that name none; "": conversations are told apart by how they begin
	Limits    capture.Limits
	Report    func(error) // told of what could not be passed on or recorded; from several goroutines
}

// Proxy is an http.Handler that passes requests on to one upstream server and records them and their answers.
type Proxy struct {
	opts     Options
	reverse  *httputil.ReverseProxy
	room     atomic.Int64 // for tapes
	sessions sessions
	answers  recent[string, *place] // by their ids, for requests that go on from one
	group    sync.WaitGroup         // recordings under way
	ctx      context.Context
	cancel   context.CancelFunc
}

// New returns a Proxy. It must be closed.
func New(opts Options) *Proxy {
	if opts.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.DisableCompression = true
		opts.Transport = transport
	}
	opts.Limits = opts.Limits.Defaults()
	p := &Proxy{opts: opts}
	p.room.Store(tapeBytesMax)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.reverse = &httputil.ReverseProxy{
		Rewrite: p.rewrite, Transport: opts.Transport, FlushInterval: -1,
		ModifyResponse: answered, ErrorHandler: p.failed, ErrorLog: log.New(io.Discard, "", 0),
	}
	return p
}

// Close waits until what has passed is recorded, or ctx ends. No request may be under way.
func (p *Proxy) Close(ctx context.Context) error {
	defer context.AfterFunc(ctx, p.cancel)()
	p.group.Wait()
	p.cancel()
	return ctx.Err()
}

// ServeHTTP passes one request on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := newExchange(p, r)
	p.group.Go(x.record)
	defer x.passed() // also when the client is gone, for which ReverseProxy panics
	if x.upload != nil {
		// Else the server of HTTP/1 takes what is left of a request for itself once the answer begins, and a transport that is
		// still looking for the request's end breaks the answer off. HTTP/2 is duplex anyway.
		_ = http.NewResponseController(w).EnableFullDuplex()
		r.Body = x.upload
		defer x.upload.letGo(w)
	}
	p.reverse.ServeHTTP(w, r.WithContext(x.ctx))
}

// rewrite addresses a request to the upstream server and leaves all else as it came.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	r.SetURL(p.opts.Upstream)
	r.Out.URL.RawQuery = r.In.URL.RawQuery // which ReverseProxy has cleaned and sorted
	if fixed := p.opts.Upstream.RawQuery; fixed != "" {
		r.Out.URL.RawQuery = strings.TrimSuffix(fixed+"&"+r.In.URL.RawQuery, "&")
	}
	r.Out.URL.ForceQuery = r.In.URL.ForceQuery
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := r.In.Header[name]; ok {
			r.Out.Header[name] = values
		}
	}
	r.Out.Header.Del(HeaderWorkflow)
	if isSocket(r.In.Header) {
		r.Out.Header.Del("Sec-WebSocket-Extensions") // with which its messages could not be recorded
	}
	if accepted := r.In.Header.Get("Accept-Encoding"); accepted != "" {
		r.Out.Header.Set("Accept-Encoding", readable(accepted))
	}
}

// readable keeps of the encodings that a client accepts those in which an answer can be recorded.
func readable(accepted string) string {
	var kept []string
	for encoding := range strings.SplitSeq(accepted, ",") {
		name, _, _ := strings.Cut(encoding, ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "zstd", "identity":
			kept = append(kept, strings.TrimSpace(encoding))
		}
	}
	if len(kept) == 0 {
		return "identity"
	}
	return strings.Join(kept, ", ")
}

// answered puts an answer on tape.
func answered(response *http.Response) error {
	x := exchangeOf(response.Request)
	x.begin(response)
	if x.upload != nil && !x.upload.ended.Load() {
		response.Header.Set("Connection", "close") // what is left of the request must not be taken for the next one
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		if connection, ok := response.Body.(io.ReadWriteCloser); ok && isSocket(response.Header) {
			response.Body = &socket{connection, x}
			return nil
		}
		x.end(nil) // what follows is of a protocol that is not known
		return nil
	}
	response.Body = &responseBody{response.Body, x}
	return nil
}

// failed answers for an upstream server that does not.
func (p *Proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r)
	x.end(err)
	if x.upload != nil {
		if x.upload.letGo(w); !x.upload.ended.Load() {
			w.Header().Set("Connection", "close")
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadGateway)
	_ = json.NewEncoder(w).Encode(capture.Refusal{
		Error: ErrUpstream.Error() + ": " + err.Error(), Remedy: "check the address given as --upstream, and that its server runs",
	})
}
