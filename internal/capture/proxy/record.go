package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"assay/internal/capture"
	"assay/internal/capture/framing"
	"assay/streams"
)

// headBytes is how much of a body is looked at to recognise it.
const headBytes = 64 << 10

// recording is one exchange on its way into the log.
type recording struct {
	*exchange
	rpc     bool
	session session // of JSON-RPC, as what follows
	said    rpcMessage
	open    []string // ids of requests that have no answer yet
	turns   socketTurns
}

// record records the request, then the answer, as they pass, and then how it went.
func (x *exchange) record() {
	r := &recording{exchange: x, session: alone(x.id)}
	r.recordRequest()
	<-x.begun
	text := ""
	if x.entry.Status == http.StatusSwitchingProtocols && isSocket(x.response.header) {
		r.recordSocket()
		_ = r.response.tape.Close()
	} else {
		text = r.recordResponse()
	}
	<-x.over
	if r.rpc {
		r.noteRPC()
	}
	if x.entry.Error == "" && x.entry.Status >= http.StatusBadRequest {
		x.entry.Error = text
	}
	x.entry.RequestBytes = x.request.tape.total()
	_, err := x.proxy.opts.Publisher.Publish(x.proxy.ctx, x.entry.frame(r.place.workflow))
	x.report(err)
}

// noteRPC adds to the record what became of the requests.
func (r *recording) noteRPC() {
	r.entry.Protocol, r.entry.Session = string(streams.SourceJSONRPC), r.session.stream
	r.entry.Requests, r.entry.Unanswered = rawIDs(r.said.ids), rawIDs(r.open)
	if len(r.open) > 0 {
		r.entry.Cancelled = r.session.asked.reason.Load()
	}
}

// recordRequest records the request, and finds out what workflow and what session the exchange belongs to.
func (r *recording) recordRequest() {
	defer r.request.tape.Close()
	in, err := open(r.request)
	r.report(err)
	defer in.Close()
	var whole []byte
	if in.recordable && in.format == framing.JSON { // one document: the recorder holds it in memory too
		if whole, err = io.ReadAll(io.LimitReader(in, int64(r.proxy.opts.Limits.EventBytes)+1)); err != nil {
			r.report(err)
		}
	}
	r.rpc = in.source == streams.SourceJSONRPC || r.request.header.Get(headerSession) != ""
	r.findSession(whole)
	r.open = r.said.ids
	if r.place.workflow = r.workflowOf(whole); r.place.workflow == DefaultWorkflow && isSocket(r.request.header) {
		r.place.workflow = r.id // a conversation of its own
	}
	close(r.place.known)
	if in.recordable {
		r.copy(io.MultiReader(bytes.NewReader(whole), in), in, r.request.side)
	}
}

// findSession finds the session of an exchange that speaks JSON-RPC. The answer to the first request of a session names it.
func (r *recording) findSession(request []byte) {
	if !r.rpc {
		return
	}
	r.said = parseRPC(request)
	id := r.request.header.Get(headerSession)
	if id == "" {
		<-r.begun
		id = r.response.header.Get(headerSession)
	}
	if id == "" {
		return
	}
	r.session = r.proxy.sessions.join(id, r.said.id(), r.id)
	if r.said.cancels != "" {
		r.proxy.sessions.cancel(id, r.said.cancels, r.said.cancelled)
	}
}

// recordResponse records the answer. It returns the beginning of one that is text of another kind.
func (r *recording) recordResponse() string {
	defer r.response.tape.Close()
	in, err := open(r.response)
	r.report(err)
	defer in.Close()
	if !in.recordable {
		head, _ := in.Peek(errorBytesMax)
		if !strings.HasPrefix(in.media, "text/") && in.media != "" {
			return ""
		}
		return strings.TrimSpace(strings.ToValidUTF8(string(head), "\ufffd"))
	}
	r.rpc = r.rpc || in.source == streams.SourceJSONRPC
	var answer io.Reader = in
	if r.packed() {
		answer = io.TeeReader(in, &r.ids)
	}
	waiting := await(r.open, in.format, r.proxy.opts.Limits.EventBytes)
	r.copy(io.TeeReader(answer, waiting), in, r.response.side)
	waiting.end()
	r.open = waiting.ids
	return ""
}

// copy records what reader gives until it ends. What belongs to JSON-RPC goes to the session's stream, else to one of its own.
func (r *recording) copy(reader io.Reader, in *input, side streams.Side) {
	opts := capture.Options{
		Source: in.source, Format: in.format, Workflow: r.place.workflow, Exchange: r.id, Stream: r.id + "/" + string(side),
		Limits: r.proxy.opts.Limits, Live: true,
	}
	if side == streams.SideClient && in.format == framing.JSON {
		opts.Captured = r.entry.StartedAt // not when the recording got round to it
	}
	if r.rpc {
		opts.Stream, opts.Positions, opts.Side = r.session.stream, r.session.positions, side
	}
	opts.TooLarge = func(position uint64, _ int64) {
		r.report(fmt.Errorf("%w: event %d of stream %q is left out", framing.ErrTooLarge, position, opts.Stream))
	}
	recorder := capture.New(r.proxy.ctx, r.proxy.opts.Publisher, opts)
	_, copyErr := io.Copy(recorder, reader)
	_, err := recorder.Close(r.proxy.ctx)
	if err == nil {
		err = copyErr
	}
	r.report(err)
}

// report tells what went wrong, if anything did.
func (x *exchange) report(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		x.proxy.opts.Report(fmt.Errorf("exchange %s is not wholly recorded: %w", x.id, err))
	}
}

// input is a body, decompressed and recognised.
type input struct {
	*bufio.Reader
	io.Closer
	media      string
	recordable bool
	source     streams.Source
	format     framing.Format
}

// open recognises a body: by its content type, or where that is none of those that are recorded, such as curl's form, by
// what it begins with. With an error there is nothing to record.
func open(b body) (*input, error) {
	in := &input{Reader: bufio.NewReader(http.NoBody), Closer: http.NoBody}
	plain, err := capture.Decompress(b.tape, b.header.Get("Content-Encoding"))
	if err != nil {
		return in, ignoreEnd(err)
	}
	in.Reader, in.Closer = bufio.NewReaderSize(plain, headBytes), plain
	in.media, _, _ = mime.ParseMediaType(b.header.Get("Content-Type"))
	in.format, err = framing.FormatOf(b.header.Get("Content-Type"))
	in.recordable = err == nil
	if in.recordable && in.format == framing.SSE {
		in.source = streams.SourceSSE
		return in, nil
	}
	first, err := capture.Head(in.Reader)
	if err != nil {
		in.recordable = false
		return in, ignoreEnd(err)
	}
	if !in.recordable {
		in.format, in.recordable = capture.FormatOfBody(first)
	}
	if in.source = streams.SourceSSE; in.format != framing.SSE {
		in.source = capture.SourceOf(first)
	}
	return in, nil
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
