package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"assay/internal/query"
	servers "assay/internal/test/program"
	"assay/sovereign/schema"
	"assay/streams"
)

// node is a service that can be killed and started again at the same addresses.
type node struct {
	data, url, nats string
	flags           []string
	process         *process
}

func newNode(t *testing.T, flags ...string) *node {
	t.Helper()
	web, server := servers.FreeAddress(t), servers.FreeAddress(t)
	return &node{
		data: t.TempDir(), url: "http://" + web, nats: "nats://" + server,
		flags: append(flags, "--http-listen", web, "--nats-listen", server),
	}
}

func (n *node) start(t *testing.T) {
	t.Helper()
	n.process, _ = serve(t, n.data, n.flags...)
}

func (n *node) kill() {
	_ = n.process.Process.Kill()
	n.process.reader.Wait()
	_ = n.process.Wait()
}

// ingest hands recordings to a node that may be killed meanwhile; what it has is passed over when that is repeated.
func (n *node) ingest(t *testing.T, dir string) error {
	return command(t.Context(), "ingest", "--server", n.url, dir).Run()
}

// forwardedTo fails unless the hub has each frame of the edge's log once and in order.
func forwardedTo(t *testing.T, hub, from *node) (edge string) {
	t.Helper()
	var want, got []uint64
	withLog(t, from.data, func(log *streams.Log) {
		for m, err := range streams.Scan(t.Context(), log.Bronze(), streams.ReplayOptions{HeadersOnly: true}) {
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, m.Seq)
		}
		edge = log.EdgeName("edge")
	})
	withLog(t, hub.data, func(log *streams.Log) {
		for m, err := range streams.Scan(t.Context(), log.Bronze(), streams.ReplayOptions{Subjects: []string{"bronze.*." + edge + ".*"}}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, streams.EdgeSequence(m.Header))
		}
	})
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("%s has %d frames, the hub %d of them: %v", edge, len(want), len(got), got)
	}
	return edge
}

func caughtUp(s *query.Summary) bool {
	return s.Forward != nil && s.Forward.Lag == 0 && s.Forward.Away == ""
}

// Two edges capture while the hub is away, and go on while all three are killed at random: the hub has each frame once and in order,
// and the tables of one node that was given the same.
func TestForwardAndKilledAtRandom(t *testing.T) {
	t.Parallel()
	const parts, killsWanted = 6, 6
	random := rand.New(rand.NewPCG(21, 5))
	hub := newNode(t)
	edges := []*node{newNode(t, "--name", "edge", "--forward", hub.url), newNode(t, "--name", "edge", "--forward", hub.nats)}
	input, calm := t.TempDir(), t.TempDir()
	var dirs []string
	for n := range parts {
		dirs = append(dirs, part(t, input, n))
	}
	for i, edge := range edges { // the hub is away
		edge.start(t)
		if err := edge.ingest(t, dirs[i]); err != nil {
			t.Fatal(err)
		}
		s := awaitStatus(t, edge.url, "a warning that the hub is away", func(s *query.Summary) bool {
			return s.Forward.Away != "" && strings.Contains(strings.Join(s.Warnings, "\n"), "wait to be forwarded")
		})
		if s.Forward.Lag != s.Bronze.Frames || s.Forward.LagBytes == 0 || s.Forward.Oldest.IsZero() {
			t.Errorf("%+v", s.Forward)
		}
		if ready := fetch(t, edge.url+"/readyz"); !strings.HasPrefix(ready, "ready\n") {
			t.Errorf("/readyz says %q while the hub is away", ready)
		}
		if metrics := fetch(t, edge.url+"/metrics"); !strings.Contains(metrics, "\nassay_forward_up 0\n") || strings.Contains(metrics, "\nassay_forward_lag_frames 0\n") {
			t.Error("/metrics does not tell that frames wait")
		}
	}
	hub.start(t)
	all := append(slices.Clone(edges), hub)
	for k := range killsWanted {
		done := make(chan error, 1)
		edge := edges[k%2]
		go func() { done <- edge.ingest(t, dirs[k%parts]) }()
		victim := all[random.IntN(len(all))]
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond) // when the kill comes is what this test draws
		victim.kill()
		victim.start(t)
		<-done // it may have failed; it is repeated below
	}
	for i, edge := range edges {
		for n := i; n < parts; n += 2 {
			if err := edge.ingest(t, dirs[n]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, edge := range edges {
		awaitStatus(t, edge.url, "end of forwarding", caughtUp)
	}
	for _, n := range all {
		n.process.stop(t)
		summarise(t, []string{"run", "--data", n.data, "--until-idle", "--json"}) // what a clean stop had no time for
	}
	for _, edge := range edges {
		forwardedTo(t, hub, edge)
	}
	for _, n := range all {
		if status, report := audited(t, n.data); status != exitDone || !report.Clean() {
			t.Errorf("audit: status %d, %+v", status, report.Differences)
		}
	}
	summarise(t, ingestArgs(calm, dirs))
	hidden := append(slices.Clone(whereMet), whenCaptured...)
	for _, table := range []string{schema.Traces, schema.Entities, schema.Episodes, schema.Shed} {
		if a, b := dumpWithout(t, hub.data, hidden, table), dumpWithout(t, calm, hidden, table); a != b {
			t.Errorf("%s, of the hub:\n%s\nof one node:\n%s", table, only(a, b), only(b, a))
		}
	}
}

// What two edges capture under one name of a stream, and bare, does not take each other's place at the hub; and what the hub has
// forgotten does not come back from an edge that was away.
func TestForwardStreamsOfOneName(t *testing.T) {
	t.Parallel()
	hub := newNode(t)
	edges := []*node{newNode(t, "--name", "edge", "--forward", hub.url), newNode(t, "--name", "edge", "--forward", hub.nats)}
	post := func(url, workflow, line string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/ingest/event/"+workflow, strings.NewReader(line+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(streams.HeaderStream, "s")
		response, err := http.DefaultClient.Do(request)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response, err)
		}
		response.Body.Close()
	}
	hub.start(t)
	post(hub.url, "gone", `{"type":"note","text":"of the hub"}`)
	awaitStatus(t, hub.url, "the hub's own row", func(s *query.Summary) bool { return s.Gold.Traces == 1 })
	const each = 20
	for i, edge := range edges {
		edge.start(t)
		awaitStatus(t, edge.url, "a hub", caughtUp)
		edge.kill()
		edge.flags = append(edge.flags, "--forward", "http://"+servers.FreeAddress(t)) // cut off
		edge.start(t)
		conn, err := nats.Connect(edge.nats)
		if err != nil {
			t.Fatal(err)
		}
		for n := range each {
			post(edge.url, "w", fmt.Sprintf(`{"type":"note","text":"posted %d %d"}`, i, n))
			bare := nats.NewMsg("bronze.event.w")
			bare.Data = fmt.Appendf(nil, `{"type":"note","text":"bare %d %d"}`, i, n)
			if _, err := conn.RequestMsgWithContext(t.Context(), bare); err != nil {
				t.Fatal(err)
			}
		}
		post(edge.url, "gone", `{"type":"note","text":"before"}`)
		conn.Close()
	}
	if status, out := runHere(t, "forget", "gone", "--yes", "--server", hub.url); status != exitDone {
		t.Fatalf("forget: %d, %s", status, out)
	}
	for _, edge := range edges {
		edge.kill()
		edge.flags = edge.flags[:len(edge.flags)-2]
		edge.start(t)
		post(edge.url, "gone", `{"type":"note","text":"after"}`)
		s := awaitStatus(t, edge.url, "end of forwarding", caughtUp)
		if s.Forward.Refused != 1 || s.Bronze.Frames != 2*each+2 {
			t.Errorf("%+v of %+v", s.Forward, s.Bronze)
		}
	}
	awaitStatus(t, hub.url, "all rows", func(s *query.Summary) bool { return s.Gold.Traces == 4*each+2 })
	for _, n := range append(slices.Clone(edges), hub) {
		n.process.stop(t)
		if status, report := audited(t, n.data); status != exitDone || !report.Clean() {
			t.Errorf("audit: status %d, %+v", status, report.Differences)
		}
	}
}

// An edge that only captures keeps no rows, sheds nothing however much it has, and the hub has all of it.
func TestForwardWithoutTablesOfItsOwn(t *testing.T) {
	t.Parallel()
	hub, edge := newNode(t), newNode(t)
	edge.flags = append(edge.flags, "--name", "edge", "--role", "capture", "--forward", hub.url, "--gate-low-watermark", "1", "--gate-high-watermark", "2")
	hub.start(t)
	edge.start(t)
	one := summarise(t, ingestArgs(t.TempDir(), []string{part(t, t.TempDir(), 0), part(t, t.TempDir(), 1)}))
	for n := range 2 {
		if err := edge.ingest(t, part(t, t.TempDir(), n)); err != nil {
			t.Fatal(err)
		}
	}
	awaitStatus(t, hub.url, "all rows", func(s *query.Summary) bool {
		return s.Gold.Traces == one.Gold.Traces && s.Silver.Shed == one.Silver.Shed
	})
	if s := awaitStatus(t, edge.url, "end of forwarding", caughtUp); s.Gold.Traces != 0 || s.Bronze.Events != one.Bronze.Events {
		t.Errorf("%+v", s)
	}
	edge.process.stop(t)
	hub.process.stop(t)
	forwardedTo(t, hub, edge)
}

// A log that fills tells so in time, and why: what is in it waits for the hub.
func TestForwardWarnsOfAFullLog(t *testing.T) {
	t.Parallel()
	edge := newNode(t, "--name", "edge", "--forward", "http://"+servers.FreeAddress(t), "--log-max-bytes", "1MiB")
	edge.start(t)
	defer edge.process.stop(t)
	line := `{"type":"note","text":"` + strings.Repeat("x", 64<<10) + `"}` + "\n"
	for n := range 14 {
		response, err := http.Post(fmt.Sprintf("%s/v1/ingest/event/w%d", edge.url, n), streams.ContentNDJSON, strings.NewReader(line))
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response, err)
		}
		response.Body.Close()
	}
	awaitStatus(t, edge.url, "a warning", func(s *query.Summary) bool {
		return strings.Contains(strings.Join(s.Warnings, "\n"), "% full and then refuses more, and 14 frames in it wait for the hub")
	})
}
