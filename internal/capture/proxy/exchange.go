package proxy

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/google/uuid"

	"assay/internal/capture"
	"assay/internal/capture/framing"
	"assay/streams"
)

// headerSession names the session of MCP's streamable HTTP. It is as good as a credential, so only its digest is
// recorded.
const headerSession = "Mcp-Session-Id"

// headBytes is how much of a body is looked at to recognise it.
const headBytes = 64 << 10

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
	workflow string
	request  body
	response body
	begun    chan struct{} // closed when the answer's header is known, or there will be none
	once     sync.Once
}

func newExchange(p *Proxy, r *http.Request) *exchange {
	x := &exchange{
		proxy: p, id: uuid.Must(uuid.NewV7()).String(), workflow: r.Header.Get(HeaderWorkflow), begun: make(chan struct{}),
		request:  body{streams.SideClient, r.Header.Clone(), newTape(&p.room)},
		response: body{streams.SideServer, http.Header{}, newTape(&p.room)},
	}
	if x.workflow == "" {
		x.workflow = p.opts.Workflow
	}
	if r.Body == nil || r.Body == http.NoBody {
		x.request.tape.close()
	}
	return x
}

// begin says that the answer's header is known.
func (x *exchange) begin() { x.once.Do(func() { close(x.begun) }) }

// end says that nothing more will pass.
func (x *exchange) end() {
	x.request.tape.close()
	x.response.tape.close()
	x.begin()
}

// record records the request, then the answer, as they pass.
func (x *exchange) record() {
	<-x.begun
	session := x.session()
	rpc := x.recordBody(x.request, session, false)
	x.recordBody(x.response, session, rpc || session.known)
}

// session returns the session that the exchange belongs to, or one of its own.
func (x *exchange) session() session {
	id := x.request.header.Get(headerSession)
	if id == "" {
		id = x.response.header.Get(headerSession)
	}
	if id == "" {
		return session{stream: x.id, positions: new(capture.Positions)}
	}
	digest := sha256.Sum256([]byte(id))
	return x.proxy.sessions.get("mcp-" + hex.EncodeToString(digest[:16]))
}

// recordBody records one direction and reports whether it is JSON-RPC. What belongs to JSON-RPC goes to the session's
// stream, else to one of its own.
func (x *exchange) recordBody(b body, s session, rpc bool) bool {
	defer b.tape.Close()
	format, err := framing.FormatOf(b.header.Get("Content-Type"))
	if err != nil {
		return false // neither events nor JSON: not recorded
	}
	plain, err := capture.Decompress(b.tape, b.header.Get("Content-Encoding"))
	if err != nil {
		x.report(err)
		return false
	}
	defer plain.Close()
	reader := bufio.NewReaderSize(plain, headBytes)
	source := streams.SourceSSE
	if format != framing.SSE {
		first, err := capture.Head(reader)
		if err != nil {
			x.report(err)
			return false
		}
		source = capture.SourceOf(first)
	}
	rpc = rpc || source == streams.SourceJSONRPC
	x.copy(reader, b.side, capture.Options{Source: source, Format: format, Workflow: x.workflow}, s, rpc)
	return rpc
}

// copy records what reader gives until it ends.
func (x *exchange) copy(reader io.Reader, side streams.Side, opts capture.Options, s session, rpc bool) {
	opts.Limits, opts.Live = x.proxy.opts.Limits, true
	opts.Stream = x.id + "/" + string(side)
	if rpc {
		opts.Stream, opts.Positions, opts.Side = s.stream, s.positions, side
	}
	opts.TooLarge = func(position uint64, _ int64) {
		x.report(fmt.Errorf("%w: event %d of stream %q is left out", framing.ErrTooLarge, position, opts.Stream))
	}
	recorder := capture.New(x.proxy.ctx, x.proxy.opts.Publisher, opts)
	_, copyErr := io.Copy(recorder, reader)
	_, err := recorder.Close(x.proxy.ctx)
	if err == nil {
		err = copyErr
	}
	x.report(err)
}

// report tells what went wrong, if anything did.
func (x *exchange) report(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		x.proxy.opts.Report(fmt.Errorf("exchange %s is not wholly recorded: %w", x.id, err))
	}
}
