package proxy

import (
	"context"
	"encoding/json"
	"fmt"
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

// HeaderWorkflow names the workflow of a request, instead of the proxy's; it is not passed on.
const HeaderWorkflow = "Assay-Workflow"

// Options configure a Proxy. Upstream, Publisher, Workflow and Report are required.
type Options struct {
	Upstream  *url.URL
	Transport http.RoundTripper // nil: http.DefaultTransport
	Publisher capture.Publisher // should answer soon: a spool
	Workflow  string            // of what is recorded, unless the request names one (HeaderWorkflow)
	Limits    capture.Limits
	Report    func(error) // told of what could not be passed on or recorded; from several goroutines
}

// Proxy is an http.Handler that passes requests on to one upstream server and records them and their answers.
type Proxy struct {
	opts     Options
	reverse  *httputil.ReverseProxy
	room     atomic.Int64 // for tapes
	sessions sessions
	group    sync.WaitGroup // recordings under way
	ctx      context.Context
	cancel   context.CancelFunc
}

// New returns a Proxy. It must be closed.
func New(opts Options) *Proxy {
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
	defer x.end() // also when the client is gone, for which ReverseProxy panics
	p.group.Go(x.record)
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	if r.Body != nil && r.Body != http.NoBody {
		// Else the server of HTTP/1 takes what is left of a request for itself once the answer begins, and a transport that is
		// still looking for the request's end breaks the answer off. HTTP/2 is duplex anyway.
		_ = http.NewResponseController(w).EnableFullDuplex()
		r.Body = &taped{r.Body, x.request.tape}
	}
	p.reverse.ServeHTTP(w, r)
}

// exchangeKey is the context key of a request's exchange.
type exchangeKey struct{}

// rewrite addresses a request to the upstream server.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	r.SetURL(p.opts.Upstream)
	r.Out.Header.Del(HeaderWorkflow)
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
	x := response.Request.Context().Value(exchangeKey{}).(*exchange)
	if response.StatusCode != http.StatusSwitchingProtocols {
		response.Body = &taped{response.Body, x.response.tape}
		x.response.header = response.Header.Clone()
	}
	x.begin()
	return nil
}

// failed answers for an upstream server that does not.
func (p *Proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		p.opts.Report(fmt.Errorf("%w: %w", ErrUpstream, err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadGateway)
	_ = json.NewEncoder(w).Encode(capture.Refusal{
		Error: ErrUpstream.Error() + ": " + err.Error(), Remedy: "check the address given as --upstream, and that its server runs",
	})
}
