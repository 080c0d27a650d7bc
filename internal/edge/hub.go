package edge

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"assay/streams"
)

// Hub is where frames are forwarded to. There is one over NATS, below, and one over HTTP (web.go).
type Hub interface {
	// End returns the id of the hub's log, and what that has of the edge last.
	End(ctx context.Context) (log string, end streams.EdgeEnd, err error)
	// Append stores messages of streams.EdgeMsg durably, and returns how many it refused, because they hold what is forgotten.
	Append(ctx context.Context, msgs []*nats.Msg) (refused int, err error)
	Close()
}

// Place says where a hub is and who asks.
type Place struct {
	URL         string // of NATS servers, separated by commas, or of a hub's API: http or https
	Token       string // of the API, or of the NATS servers
	Credentials string // path of a .creds file, of NATS
	Edge        string // name of the edge
	Decode      Decode // to find out what the hub has forgotten, where the hub is a log
}

// Open reaches a hub. Errors wrap ErrHub or are those of the hub's log.
func (p Place) Open(ctx context.Context) (Hub, error) {
	if p.overHTTP() {
		return newWebHub(p)
	}
	return openLogHub(ctx, p)
}

// dialTimeout limits the wait for a server that does not answer.
const dialTimeout = 10 * time.Second

// logHub is a hub whose log is reached itself.
type logHub struct {
	conn   *nats.Conn
	log    *streams.Log
	writer *streams.EdgeWriter
	decode Decode
}

func openLogHub(ctx context.Context, p Place) (*logHub, error) {
	options := []nats.Option{
		nats.Name("assay-edge-" + p.Edge), nats.Timeout(dialTimeout),
		nats.MaxReconnects(0), // the forwarder does that, lest it send what is not wanted any more
	}
	if p.Token != "" {
		options = append(options, nats.Token(p.Token))
	}
	if p.Credentials != "" {
		options = append(options, nats.UserCredentials(p.Credentials))
	}
	conn, err := nats.Connect(p.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("%w: no NATS server there: %w", ErrHub, err)
	}
	h := &logHub{conn: conn, decode: p.Decode}
	if h.log, err = streams.OpenHub(ctx, conn); err == nil {
		h.writer, err = h.log.EdgeWriter(p.Edge)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return h, nil
}

func (h *logHub) End(ctx context.Context) (string, streams.EdgeEnd, error) {
	end, err := h.writer.End(ctx)
	return h.log.ID(), end, err
}

func (h *logHub) Append(ctx context.Context, msgs []*nats.Msg) (int, error) {
	return appendTaken(ctx, h.log, h.writer, h.decode, msgs)
}

func (h *logHub) Close() { h.conn.Close() }

// appendTaken stores what a log takes, by what is forgotten by now.
func appendTaken(ctx context.Context, log *streams.Log, w *streams.EdgeWriter, decode Decode, msgs []*nats.Msg) (refused int, err error) {
	if err := log.CheckForgotten(ctx); err != nil {
		return 0, err
	}
	msgs, refused = decode.refused(log.Forgotten(), msgs)
	return refused, w.Append(ctx, msgs)
}
