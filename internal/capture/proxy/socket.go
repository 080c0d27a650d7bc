package proxy

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"assay/internal/capture"
	"assay/internal/capture/formats"
	"assay/internal/capture/framing"
	"assay/streams"
)

// isSocket reports whether a request asks for a WebSocket.
func isSocket(header http.Header) bool { return strings.EqualFold(header.Get("Upgrade"), "websocket") }

// socket is a connection that has become a WebSocket. Its bytes pass unchanged; a copy of both directions goes onto the answer's tape,
// in the order in which they passed, each piece behind who sent it and how long it is.
type socket struct {
	io.ReadWriteCloser // to the upstream server
	x                  *exchange
}

const pieceHead = 5 // bytes before a piece: its side and its length

func (s *socket) Read(p []byte) (int, error) {
	n, err := s.ReadWriteCloser.Read(p)
	s.copy(streams.SideServer, p[:n])
	s.x.fetched(n)
	if err != nil {
		s.x.end(err)
	}
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	s.copy(streams.SideClient, p)
	return s.ReadWriteCloser.Write(p)
}

// Close ends the exchange: whoever closed it, all that was said has passed.
func (s *socket) Close() error {
	s.x.end(nil)
	return s.ReadWriteCloser.Close()
}

func (s *socket) copy(side streams.Side, p []byte) {
	if len(p) == 0 {
		return
	}
	piece := append(make([]byte, 0, pieceHead+len(p)), side[0])
	piece = binary.BigEndian.AppendUint32(piece, uint32(len(p)))
	s.x.response.tape.put(append(piece, p...))
}

// recordSocket records the messages of both directions, each side's as a stream of its own, in the order in which they passed. Those
// that are no JSON, such as sound, are counted.
func (r *recording) recordSocket() {
	sides := map[streams.Side]*socketSide{}
	for _, side := range []streams.Side{streams.SideClient, streams.SideServer} {
		opts := capture.Options{
			Source: streams.SourceEvent, Format: framing.NDJSON, Workflow: r.place.workflow, Exchange: r.id, Stream: r.id + "/" + string(side),
			Limits: r.proxy.opts.Limits, Live: true,
		}
		sides[side] = &socketSide{
			frames:   wsFrames{limit: r.proxy.opts.Limits.EventBytes},
			recorder: capture.New(r.proxy.ctx, r.proxy.opts.Publisher, opts),
		}
	}
	err := r.pieces(func(side streams.Side, piece []byte) error {
		s := sides[side]
		for _, m := range s.frames.take(piece) {
			if err := r.recordMessage(s, side, m); err != nil {
				return err
			}
		}
		if s.frames.broken && !s.reported {
			s.reported = true
			r.report(fmt.Errorf("what the %s sends is no WebSocket that can be read", side))
		}
		return nil
	})
	for _, side := range []streams.Side{streams.SideClient, streams.SideServer} {
		_, closeErr := sides[side].recorder.Close(r.proxy.ctx)
		err = errors.Join(err, closeErr)
	}
	r.report(err)
}

// socketSide is one direction on its way into the log.
type socketSide struct {
	frames   wsFrames
	recorder *capture.Recorder
	reported bool
}

// pieces yields what is on the tape until it ends.
func (r *recording) pieces(yield func(streams.Side, []byte) error) error {
	var head [pieceHead]byte
	for {
		if _, err := io.ReadFull(r.response.tape, head[:]); err != nil {
			return ignoreEnd(err)
		}
		side := streams.SideClient
		if head[0] == streams.SideServer[0] {
			side = streams.SideServer
		}
		piece := make([]byte, binary.BigEndian.Uint32(head[1:]))
		if _, err := io.ReadFull(r.response.tape, piece); err != nil {
			return err
		}
		if err := yield(side, piece); err != nil {
			return err
		}
	}
}

// recordMessage records one message as a line of JSON.
func (r *recording) recordMessage(s *socketSide, side streams.Side, m wsMessage) error {
	if m.large {
		r.report(fmt.Errorf("%w: a message of the %s is left out", framing.ErrTooLarge, side))
	}
	v, err := formats.Parse(m.data)
	if m.large || err != nil || v.Type() != fastjson.TypeObject {
		r.entry.Unrecorded++
		return nil
	}
	if bytes.ContainsAny(m.data, "\r\n") {
		var line bytes.Buffer
		if err := json.Compact(&line, m.data); err != nil {
			r.entry.Unrecorded++
			return nil
		}
		m.data = line.Bytes()
	}
	if err := s.recorder.In(r.turns.of(side, v, r.id)); err != nil {
		return err
	}
	_, err = s.recorder.Write(append(m.data, '\n'))
	return err
}

// socketTurns tells the answers of one WebSocket apart, each of which is a call of the model: by what asks for an answer, or where
// nobody did by what begins one, and by what ends it. The first is of the exchange itself.
type socketTurns struct {
	number int
	open   bool
}

// of returns the exchange that a message belongs to.
func (t *socketTurns) of(side streams.Side, v *fastjson.Value, id string) string {
	typ := string(v.GetStringBytes("type"))
	content := v.Get("serverContent")
	asks := side == streams.SideClient && (typ == "response.create" || v.Exists("clientContent"))
	begins := side == streams.SideServer && (typ == "response.created" || content != nil || v.Exists("toolCall"))
	if !t.open && (asks || begins) || t.open && asks {
		t.number, t.open = t.number+1, true
	}
	exchange := id
	if t.number > 1 {
		exchange = id + "." + strconv.Itoa(t.number)
	}
	switch typ {
	case "response.done", "response.completed", "response.failed", "response.incomplete", "response.cancelled":
		t.open = false
	}
	if content.GetBool("turnComplete") || content.GetBool("interrupted") {
		t.open = false
	}
	return exchange
}
