package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"assay/internal/fleet"
	"assay/internal/test/gateway"
	"assay/internal/test/link"
	"assay/sovereign/schema"
	"assay/streams/streamstest/cluster"
)

const (
	fleetWorkers    = 3
	fleetPartitions = 4
	// stopsMost bounds how often a worker is stopped until one of its writes is refused.
	stopsMost = 6
	// fleetPatience is how long anything may take.
	fleetPatience = 5 * time.Minute
	fleetLook     = 100 * time.Millisecond
	// loadEvery is how often a part is ingested, if that is possible.
	loadEvery = time.Second
)

// fleetOf is a fleet that a test disturbs.
type fleetOf struct {
	t        *testing.T
	random   *rand.Rand
	nodes    *cluster.Cluster
	store    fleetStore
	registry *registry
	workers  []*fleetWorker
	started  int
	refused  uint64 // writes of workers that were stopped
	longest  float64
	input    string
	load     load

	forgotten []string // workflows
}

// fleetStore is where the tables are: flags of who reaches it through something else than its own address, and the tables' copy in a
// data directory.
type fleetStore struct {
	flags  func(t *testing.T, through func(address string) string) []string
	tables func() (data string)
}

// fleetWorker is a process, and the links through which it reaches the servers of the log and the store.
type fleetWorker struct {
	*process
	name, data, url string
	log, store      []*link.Link
}

// load is what is ingested meanwhile.
type load struct {
	parts    []string
	ingested atomic.Int64             // parts
	urls     atomic.Pointer[[]string] // of workers that are well
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// TestFleet disturbs a fleet of three processes on three servers while it works: workers are killed, stopped and continued, cut off from
// the log or the store, leave and join, are started again one by one; a server is lost, workflows are forgotten. In the end the tables are those of one worker, an audit on each worker finds them
// to be what the log says, and each promotion is there once. TEST_FLEET=20 has so many disturbances, with the tables in a bucket, too.
func TestFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	rounds, err := strconv.Atoi(os.Getenv("TEST_FLEET"))
	stores := map[string]func(t *testing.T) fleetStore{"folder": inFolder}
	if err == nil {
		stores["bucket"] = inBucket
	}
	for name, store := range stores {
		t.Run(name, func(t *testing.T) { disturbFleet(t, rounds, store(t)) })
	}
}

func inFolder(t *testing.T) fleetStore {
	data := t.TempDir()
	return fleetStore{
		func(*testing.T, func(string) string) []string {
			return []string{"--store", filepath.Join(data, "sovereign")}
		},
		func() string { return data },
	}
}

func inBucket(t *testing.T) fleetStore {
	server := gateway.Start(t)
	return fleetStore{
		func(t *testing.T, through func(string) string) []string {
			return bucketFlags(t, throughURL(t, server.URL(), through))
		},
		func() string { return ofBucket(t, server) },
	}
}

func disturbFleet(t *testing.T, rounds int, store fleetStore) {
	seed := uint64(time.Now().UnixNano())
	f := &fleetOf{
		t: t, random: rand.New(rand.NewPCG(seed, 0)), store: store, registry: newRegistry(t), input: t.TempDir(),
		// Workers that were told the other servers' addresses would not go through links.
		nodes: cluster.Start(t, func(o *server.Options) { o.Cluster.NoAdvertise = true }),
	}
	itself := func(address string) string { return address }
	define := append([]string{"fleet", "init", "--partitions", strconv.Itoa(fleetPartitions), "--nats", f.nodes.URL()}, store.flags(t, itself)...)
	if status, _ := runHere(t, define...); status != exitDone {
		t.Fatalf("fleet init ends with %d", status)
	}
	for range fleetWorkers {
		f.start()
	}
	f.settle()
	f.ingest(f.part())
	f.begin()
	defer func() {
		f.load.stop()
		f.load.running.Wait()
	}()
	faults := []func(){
		f.kill, f.zombie, f.leave, f.cut, f.leaveWhileCut, f.cutStore, f.restartAll, f.loseServer, f.forget, f.killForgetting,
	}
	f.random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	for _, fault := range faults {
		fault()
	}
	for range rounds - len(faults) {
		[]func(){f.kill, f.zombie, f.leave, f.cut, f.cutStore}[f.random.IntN(5)]()
	}
	f.load.stop()
	f.load.running.Wait()
	f.settle()
	for _, w := range f.workers {
		f.audit(w)
	}
	for _, w := range f.workers {
		w.stop(t)
	}
	f.compare(store.tables())
	t.Logf("seed %d: %d parts; %d writes refused; longest take-over %.1f s", seed, len(f.load.parts), f.refused, f.longest)
}

// start starts one more worker, with nothing on its disk.
func (f *fleetOf) start() {
	f.t.Helper()
	f.started++
	w := &fleetWorker{name: fmt.Sprintf("w%d", f.started)}
	w.data = filepath.Join(f.t.TempDir(), w.name)
	f.workers = append(f.workers, w)
	f.startAgain(w)
}

// startAgain starts a worker that does not run.
func (f *fleetOf) startAgain(w *fleetWorker) {
	f.t.Helper()
	w.log, w.store = nil, nil
	urls := strings.Split(f.nodes.URL(), ",")
	for i, node := range urls {
		urls[i] = throughURL(f.t, node, f.linked(&w.log))
	}
	args := []string{"--name", w.name, "--registry", f.registry.URL, "--nats", strings.Join(urls, ",")}
	p, url := serve(f.t, w.data, append(args, f.store.flags(f.t, f.linked(&w.store))...)...)
	w.process, w.url = p, url
	f.t.Cleanup(func() {
		if f.t.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			f.t.Logf("%s says %s", w.name, &p.said)
		}
	})
	f.offer()
}

// linked makes links.
func (f *fleetOf) linked(links *[]*link.Link) func(address string) string {
	return func(address string) string {
		*links = append(*links, link.To(f.t, address))
		return (*links)[len(*links)-1].Address
	}
}

// throughURL is a URL with another host.
func throughURL(t *testing.T, address string, through func(string) string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = through(u.Host)
	return u.String()
}

// offer has what is ingested go to the workers that are well.
func (f *fleetOf) offer(but ...*fleetWorker) {
	var urls []string
	for _, w := range f.workers {
		if !slices.Contains(but, w) {
			urls = append(urls, w.url)
		}
	}
	f.load.urls.Store(&urls)
}

// await looks until something holds.
func (f *fleetOf) await(what string, holds func() bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), fleetPatience)
	defer cancel()
	tick := time.NewTicker(fleetLook)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.t.Fatalf("%s: not within %v", what, fleetPatience)
		}
	}
}

// status is what who looks from outside is told.
func (f *fleetOf) status() (s fleet.Status, ok bool) {
	status, out := runHere(f.t, "fleet", "--json", "--nats", f.nodes.URL())
	return s, status == exitDone && json.Unmarshal([]byte(out), &s) == nil
}

// owned tells how many partitions each worker owns.
func (f *fleetOf) owned() map[string]int {
	owned := map[string]int{}
	if s, ok := f.status(); ok {
		for _, p := range s.Partitions {
			owned[p.Owner]++
		}
	}
	return owned
}

// settle waits until all workers own their part, and nobody else anything.
func (f *fleetOf) settle() {
	f.t.Helper()
	f.await("each worker owns its part", func() bool {
		owned, sum := f.owned(), 0
		for _, w := range f.workers {
			if owned[w.name] == 0 {
				return false
			}
			sum += owned[w.name]
		}
		return sum == fleetPartitions
	})
}

// part writes one more part of what is ingested.
func (f *fleetOf) part() string {
	f.load.parts = append(f.load.parts, part(f.t, f.input, len(f.load.parts)))
	return f.load.parts[len(f.load.parts)-1]
}

// ingest ingests a part, at another worker where one fails.
func (f *fleetOf) ingest(dir string) {
	ctx, cancel := context.WithTimeout(f.t.Context(), fleetPatience)
	defer cancel()
	for at := 0; ; at++ {
		urls := *f.load.urls.Load()
		status, out := runHere(f.t, "ingest", "--server", urls[at%len(urls)], dir)
		if status == exitDone {
			f.load.ingested.Add(1)
			return
		}
		if ctx.Err() != nil {
			f.t.Errorf("%s is not ingested within %v: %s", dir, fleetPatience, out)
			return
		}
	}
}

// begin begins to ingest one part after the other.
func (f *fleetOf) begin() {
	var ctx context.Context
	ctx, f.load.stop = context.WithCancel(f.t.Context())
	f.load.running.Go(func() {
		tick := time.NewTicker(loadEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			f.ingest(f.part())
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
}

// metric is what a worker tells of itself.
func (f *fleetOf) metric(w *fleetWorker, name string) float64 {
	f.t.Helper()
	for line := range strings.Lines(fetch(f.t, w.url+"/metrics")) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				f.t.Fatal(err)
			}
			return n
		}
	}
	f.t.Fatalf("%s does not tell %s", w.name, name)
	return 0
}

// audit has a worker audit. One that could not may be asked again, one that finds a difference not.
func (f *fleetOf) audit(w *fleetWorker) {
	f.t.Helper()
	f.await(w.name+" audits", func() bool {
		status, out := runHere(f.t, "audit", "--server", w.url, "--json")
		if status == exitDifference {
			f.t.Errorf("%s finds: %s", w.name, out)
		}
		return status != exitFailed
	})
}

// compare compares the tables with those of one worker that was left alone.
func (f *fleetOf) compare(tables string) {
	f.t.Helper()
	calm := filepath.Join(f.t.TempDir(), "calm")
	summarise(f.t, ingestArgs(calm, f.load.parts, "--partitions", strconv.Itoa(fleetPartitions), "--registry", f.registry.URL))
	for _, workflow := range f.forgotten {
		if status, _ := runHere(f.t, "forget", workflow, "--data", calm, "--abandon", "--yes"); status != exitDone {
			f.t.Fatalf("forget ends with %d", status)
		}
	}
	hidden := append(slices.Clone(whereMet), whenCaptured...)
	for _, table := range []string{schema.Traces, schema.Entities, schema.Episodes, schema.Shed} {
		if a, b := dumpWithout(f.t, tables, hidden, table), dumpWithout(f.t, calm, hidden, table); a != b {
			f.t.Errorf("%s, of the fleet:\n%s\nof one worker:\n%s", table, only(a, b), only(b, a))
		}
	}
	told := []string{"attempts", "published_at", "next_attempt_at", "last_error", "urn", "registry"}
	a, b := dumpWithout(f.t, tables, told, schema.Promotions), dumpWithout(f.t, calm, told, schema.Promotions)
	if a != b || !strings.Contains(a, "published") || strings.Contains(a, "pending") {
		f.t.Errorf("promotions, of the fleet:\n%s\nof one worker:\n%s", a, b)
	}
	if asked, rows := len(f.registry.seen), strings.Count(a, "published"); asked < rows {
		f.t.Errorf("%d promotions count as published, the registry was asked for %d", rows, asked)
	}
}
