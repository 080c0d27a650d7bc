package edge_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"assay"
	"assay/consumers/bronze"
	"assay/internal/edge"
	"assay/streams"
	"assay/streams/streamstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testTimeout = 2 * time.Minute

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	return ctx
}

// decode is what becomes of a frame, as far as these tests care: one event of the frame's workflow.
func decode(m streams.Message) []bronze.Event {
	f, err := streams.ParseFrame(m.Subject, m.Header, m.Data, m.Seq, m.Time)
	if err != nil {
		return []bronze.Event{bronze.DeadFrame(m.Subject, m.Data, m.Seq, m.Time, err)}
	}
	return []bronze.Event{{WorkflowID: f.Workflow}}
}

// openLog opens a log whose memory of message ids is as short as can be, so that it is no help.
func openLog(t testing.TB, conn *nats.Conn, change func(*streams.Config)) *streams.Log {
	t.Helper()
	cfg := streams.DefaultConfig()
	cfg.MaxBytes, cfg.DuplicateWindow = 1<<30, 100*time.Millisecond
	if change != nil {
		change(&cfg)
	}
	log, err := streams.Open(testContext(t), conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func newLog(t testing.TB) *streams.Log {
	return openLog(t, streamstest.Connect(t, streamstest.Start(t)), nil)
}

// hub is a log that edges reach, by NATS and by HTTP.
type hub struct {
	*streams.Log
	natsURL, webURL string
}

func newHub(t testing.TB) *hub {
	t.Helper()
	server, err := streams.StartServer(testContext(t), streams.ServerConfig{DataDir: t.TempDir(), Config: assay.NATSConfig, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	h := &hub{natsURL: server.URL()}
	h.Log = openLog(t, streamstest.Connect(t, server), nil)
	mux := http.NewServeMux()
	mux.Handle("/v1/forward/{edge}", edge.NewHandler(h.Log, decode))
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	h.webURL = web.URL
	return h
}

// publish stores bare frames and such that name their stream, as an edge captures them.
func publish(t testing.TB, log *streams.Log, workflow string, from, to int) {
	t.Helper()
	var bare []*nats.Msg
	var frames []*streams.Frame
	for i := from; i < to; i++ {
		if i%3 == 0 {
			msg := nats.NewMsg("bronze.event." + workflow)
			msg.Data = fmt.Appendf(nil, `{"n":%d}`, i)
			bare = append(bare, msg)
			continue
		}
		frames = append(frames, &streams.Frame{
			Source: streams.SourceEvent, Workflow: workflow, ContentType: streams.ContentNDJSON, Stream: "s/" + workflow, Position: uint64(i), Count: 1,
			Captured: time.Unix(int64(i), 0), Body: fmt.Appendf(nil, `{"n":%d}`+"\n", i),
		})
	}
	if err := log.PublishMsgs(testContext(t), bare...); err != nil {
		t.Fatal(err)
	}
	p := log.NewPublisher(streams.PublisherConfig{})
	if _, err := p.Publish(testContext(t), frames...); err != nil {
		t.Error(err)
	}
	if err := p.Close(testContext(t)); err != nil {
		t.Error(err)
	}
}

// forwarded returns the sequences that a log has of each edge, in its order, and the frames.
func forwarded(t testing.TB, log *streams.Log) (sequences map[string][]uint64, frames map[string][]*streams.Frame) {
	t.Helper()
	sequences, frames = map[string][]uint64{}, map[string][]*streams.Frame{}
	for m, err := range streams.Scan(testContext(t), log.Bronze(), streams.ReplayOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Split(m.Subject, ".")[2]
		sequences[name] = append(sequences[name], streams.EdgeSequence(m.Header))
		f, err := streams.ParseFrame(m.Subject, m.Header, m.Data, m.Seq, m.Time)
		if err != nil {
			t.Fatal(err)
		}
		frames[name] = append(frames[name], f)
	}
	return sequences, frames
}

func onceInOrder(t testing.TB, name string, got []uint64, want int) {
	t.Helper()
	if len(got) != want {
		t.Errorf("%s: %d frames, want %d", name, len(got), want)
	}
	for i, seq := range got {
		if seq != uint64(i)+1 {
			t.Fatalf("%s: frame %d has sequence %d", name, i, seq)
		}
	}
}

// disturbed is a hub behind a way that fails before a batch is there, or after it is stored.
type disturbed struct {
	edge.Hub
	fails func() bool
}

var errCut = errors.New("cut off")

func (d disturbed) Append(ctx context.Context, msgs []*nats.Msg) (int, error) {
	if d.fails() {
		return 0, errCut
	}
	refused, err := d.Hub.Append(ctx, msgs)
	if err == nil && d.fails() {
		return 0, errCut // it is stored, and nobody knows
	}
	return refused, err
}

// forwarder starts forwarding; the function that it returns stops that.
func forwarder(t testing.TB, log *streams.Log, place edge.Place, fails func() bool) (*edge.Forwarder, func()) {
	t.Helper()
	place.Decode, place.Edge = decode, log.EdgeName(place.Edge)
	f := edge.New(edge.Options{
		Log: log, Edge: place.Edge, Decode: decode, Logger: slog.New(slog.DiscardHandler),
		Open: func(ctx context.Context) (edge.Hub, error) {
			h, err := place.Open(ctx)
			if err == nil && fails != nil {
				h = disturbed{h, fails}
			}
			return h, err
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	return f, stop
}

// await waits until a forwarder stands as wanted.
func await(t testing.TB, f *edge.Forwarder, wanted func(edge.State) bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(testTimeout)
	for !wanted(f.State()) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%+v", f.State())
		}
	}
}

func upTo(seq uint64) func(edge.State) bool {
	return func(s edge.State) bool { return s.Sequence == seq }
}

// Two edges of one name forward streams of one name, by NATS and by HTTP, over a way that fails before and after a batch is stored, and
// are started again at random: the hub has each frame once and in order, and those of one are none of the other's.
func TestForwardedOnceAndInOrder(t *testing.T) {
	h := newHub(t)
	const n = 3000
	var edges sync.WaitGroup
	logs := []*streams.Log{newLog(t), newLog(t)}
	for i, url := range []string{h.natsURL, h.webURL} {
		log := logs[i]
		publish(t, log, "w", 0, n)
		edges.Go(func() {
			ways, stops := rand.New(rand.NewPCG(21, uint64(i))), rand.New(rand.NewPCG(22, uint64(i)))
			place, sent := edge.Place{URL: url, Edge: "e"}, uint64(0)
			for range 5 {
				f, stop := forwarder(t, log, place, func() bool { return ways.IntN(5) == 0 })
				sent += uint64(stops.IntN(n / 5))
				await(t, f, func(s edge.State) bool { return s.Sequence >= sent })
				stop()
			}
			f, stop := forwarder(t, log, place, nil)
			await(t, f, upTo(n))
			stop()
		})
	}
	edges.Wait()
	sequences, frames := forwarded(t, h.Log)
	streamsOf := map[string]string{}
	for _, log := range logs {
		name := log.EdgeName("e")
		onceInOrder(t, name, sequences[name], n)
		i := 0
		for stored, err := range log.Replay(testContext(t), streams.ReplayOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			got, want := frames[name][i], stored.Frame
			if bare := strings.HasPrefix(want.Stream, "bronze."); bare {
				if other := streamsOf[got.Stream]; other != "" && other != name {
					t.Fatalf("stream %s is of %s and %s", got.Stream, name, other)
				}
				streamsOf[got.Stream] = name
				want.Stream = name + "/" + want.Stream
			}
			if got.ID() != want.ID() || got.Subject() != want.Subject() || !got.Captured.Equal(want.Captured) {
				t.Fatalf("%+v became %+v", want, got)
			}
			i++
		}
	}
	if len(sequences) != 2 {
		t.Errorf("edges %d", len(sequences))
	}
}

// While the hub is away frames wait, and nobody is told more than once; what the edge's limits take meanwhile is told.
func TestHubThatIsAway(t *testing.T) {
	ring := func(cfg *streams.Config) { cfg.Ring, cfg.MaxBytes = true, 64<<10 }
	log := openLog(t, streamstest.Connect(t, streamstest.Start(t)), ring)
	h := newHub(t)
	var away sync.Mutex
	reachable := false
	name := log.EdgeName("e")
	f := edge.New(edge.Options{
		Log: log, Edge: name, Decode: decode, Logger: slog.New(slog.DiscardHandler),
		Open: func(ctx context.Context) (edge.Hub, error) {
			away.Lock()
			defer away.Unlock()
			if !reachable {
				return nil, errCut
			}
			return edge.Place{URL: h.webURL, Edge: name, Decode: decode}.Open(ctx)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	publish(t, log, "w", 0, 30)
	await(t, f, func(s edge.State) bool { return s.Away != "" && !s.Since.IsZero() })
	publish(t, log, "w", 30, 630) // more than the log holds
	info, err := log.Bronze().Info(t.Context())
	if err != nil || info.State.FirstSeq == 1 {
		t.Fatal(info.State.FirstSeq, err)
	}
	away.Lock()
	reachable = true
	away.Unlock()
	await(t, f, func(s edge.State) bool { return s.Away == "" && s.Sequence == 630 })
	if s := f.State(); s.Lost != info.State.FirstSeq-1 || s.Forwarded != info.State.Msgs {
		t.Errorf("%+v, the log has frames from %d on", s, info.State.FirstSeq)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A data directory that was copied, or brought back from a backup, and has gone on by itself forwards nothing over what the hub has.
func TestEdgeWithAnotherHistory(t *testing.T) {
	h, log := newHub(t), newLog(t)
	publish(t, log, "w", 0, 3)
	w, err := h.EdgeWriter(log.EdgeName("e"))
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{2, 9} { // what it has itself, otherwise, and what it does not have yet
		other := streams.Message{Subject: "bronze.event.w", Header: nats.Header{}, Data: []byte("{}"), Seq: seq, Time: time.Unix(1, 0)}
		if err := w.Append(testContext(t), []*nats.Msg{streams.EdgeMsg(log.EdgeName("e"), other)}); err != nil {
			t.Fatal(err)
		}
		f, stop := forwarder(t, log, edge.Place{URL: h.natsURL, Edge: "e"}, nil)
		await(t, f, func(s edge.State) bool { return strings.Contains(s.Away, edge.ErrHistory.Error()) })
		stop()
	}
}

// What a hub has forgotten does not come back from an edge that had it before; what is captured later is new. What an edge has forgotten
// does not leave it.
func TestForgottenWorkflowsAreNotForwarded(t *testing.T) {
	for _, way := range []string{"nats", "http"} {
		h, log := newHub(t), newLog(t)
		publish(t, log, "kept", 0, 3)
		publish(t, log, "gone", 0, 5)
		publish(t, log, "own", 0, 2)
		bury(t, h.Log, "Gone", 0, time.Now()) // as another worker of the hub would, and in another spelling
		info, err := log.Bronze().Info(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		bury(t, log, "own", info.State.LastSeq, time.Now())
		publish(t, log, "gone", 5, 12)
		publish(t, log, "own", 2, 3)
		url := map[string]string{"nats": h.natsURL, "http": h.webURL}[way]
		f, stop := forwarder(t, log, edge.Place{URL: url, Edge: "e"}, nil)
		await(t, f, upTo(18))
		stop()
		if s := f.State(); s.Refused != 5 || s.Forwarded != 11 || s.Lost != 0 {
			t.Errorf("%s: %+v", way, s)
		}
		_, frames := forwarded(t, h.Log)
		had := map[string]int{}
		for _, frame := range frames[log.EdgeName("e")] {
			had[frame.Workflow]++
		}
		if fmt.Sprint(had) != "map[gone:7 kept:3 own:1]" {
			t.Errorf("%s: the hub has %v", way, had)
		}
	}
}

func bury(t testing.TB, log *streams.Log, workflow string, through uint64, at time.Time) {
	t.Helper()
	if err := log.Bury(testContext(t), streams.Tombstone{Workflow: workflow, Through: through, At: at, Done: true}); err != nil {
		t.Fatal(err)
	}
}

// Whatever a client sends, a hub answers what is wrong, and stores nothing.
func TestHandlerRefuses(t *testing.T) {
	h := newHub(t)
	for name, c := range map[string]struct {
		edge, body string
		status     int
	}{
		"edge":    {"a.b", "", http.StatusBadRequest},
		"length":  {"a", "\xff\x00\x00\x00bronze", http.StatusBadRequest},
		"subject": {"a", "\x06\x00\x00\x00bronze", http.StatusBadRequest},
		"headers": {"a", "\x12\x00\x00\x00bronze.event.a.w\r\n", http.StatusBadRequest},
		"frame":   {"a", "\x1e\x00\x00\x00bronze.event.a.w\r\nNATS/1.0\r\n\r\n", http.StatusBadRequest},
	} {
		response, err := http.Post(h.webURL+"/v1/forward/"+c.edge, edge.ContentForward, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != c.status {
			t.Errorf("%s: %s", name, response.Status)
		}
	}
	if sequences, _ := forwarded(t, h.Log); len(sequences) > 0 {
		t.Error(sequences)
	}
	http.DefaultClient.CloseIdleConnections()
}
