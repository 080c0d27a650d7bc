package chaos

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"assay/streams"
)

// twice starts a second program on the same data directory.
type twice struct{ calm }

func (twice) Strike(ctx context.Context, r *Run) error {
	for _, args := range [][]string{{"run", "--until-idle", "--sample"}, {"audit"}, {"rebuild"}, {"dead"}} {
		_, said, status, err := r.Program.Run(ctx, append(args, "--data", r.Program.Data)...)
		if err != nil {
			return err
		}
		if status != 2 || !strings.Contains(said, "holds") {
			r.Find("a second `assay %s` ends with %d: %s", args[0], status, lastLines(said))
		}
	}
	return nil
}

// poison publishes to the log itself what no part of Assay would.
type poison struct {
	calm
	address string
}

func (p *poison) Prepare(_ context.Context, r *Run) error {
	port, err := freePort()
	p.address = fmt.Sprintf("127.0.0.1:%d", port)
	r.Program.Args = append(r.Program.Args, "--nats-listen", p.address)
	return err
}

func (p *poison) Strike(ctx context.Context, r *Run) error {
	conn, err := nats.Connect("nats://" + p.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, msg := range p.messages(r) {
		if msg.Header == nil {
			msg.Header = nats.Header{}
		}
		if err := conn.PublishMsg(msg); err != nil {
			return err
		}
	}
	return conn.FlushWithContext(ctx)
}

// messages are poison for every stream. What comes to BRONZE must come to DEAD.
func (p *poison) messages(r *Run) []*nats.Msg {
	garbage := func(to string, header nats.Header) *nats.Msg {
		data := fmt.Appendf(nil, "{\"poison\": %d, \x00\xff", r.Rng.Uint64())
		if strings.HasPrefix(to, "bronze.event.") {
			r.Load.Dead[string(data)] = nil
		}
		return &nats.Msg{Subject: to, Header: header, Data: data}
	}
	return []*nats.Msg{
		garbage("bronze.event.poison", nil),
		garbage("bronze.event.poison", nats.Header{streams.HeaderPosition: {"minus one"}}),
		garbage("bronze.event.poison", nats.Header{streams.HeaderShed: {"NaN"}, streams.HeaderCount: {"-3"}}),
		garbage("bronze.event.poison", nats.Header{"Content-Type": {"image/png"}}),
		garbage("bronze.event.%ZZ", nil),
		garbage("silver.0", nil),
		garbage("silver.9", nats.Header{"Content-Type": {"application/vnd.apache.arrow.stream"}}),
		{Subject: "silver.0"},
		garbage("promotion.poison", nil),
		garbage("promotion.poison", nats.Header{"Assay-Event-Uuid": {"not a uuid"}}),
		{Subject: "promotion.poison"},
		garbage("dead.poison", nats.Header{"Assay-Reason": {"poison"}}),
	}
}

// slow are clients that take no answer: readers of the live events that do not read, and producers that only send.
type slow struct {
	calm
	conns []net.Conn
}

const slowClients = 20 // of each sort, with each strike

func (s *slow) Strike(ctx context.Context, r *Run) error {
	for range slowClients {
		live, err := s.dial(ctx, r)
		if err != nil {
			return err
		}
		fmt.Fprint(live, "GET /v1/live HTTP/1.1\r\nHost: x\r\nLast-Event-ID: 0\r\n\r\n")
		mute, err := s.dial(ctx, r)
		if err != nil {
			return err
		}
		// What it sends again is known by its identities, so that nothing changes.
		for range slowClients {
			b := r.Load.Bodies[r.Rng.IntN(len(r.Load.Bodies))]
			_ = mute.SetWriteDeadline(time.Now().Add(time.Second))
			fmt.Fprintf(mute, "POST /v1/ingest/%s/%s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nAssay-Stream: %s\r\nAssay-Position: %d\r\nAssay-Time: %s\r\nContent-Length: %d\r\n\r\n%s",
				b.Source, url.PathEscape(b.Workflow), b.ContentType, url.PathEscape(b.Stream), b.Position,
				b.Captured.Format(time.RFC3339Nano), len(b.Bytes), b.Bytes)
		}
	}
	return nil
}

func (s *slow) dial(ctx context.Context, r *Run) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		return nil, err
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(1 << 10)
	s.conns = append(s.conns, conn)
	return conn, nil
}

// Heal lets them go.
func (s *slow) Heal(context.Context, *Run) error {
	for _, conn := range s.conns {
		_ = conn.Close()
	}
	return nil
}
