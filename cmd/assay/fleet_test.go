package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"assay/internal/fleet"
	"assay/internal/test/gateway"
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
	store    []string // flags
	registry *registry
	workers  []*fleetWorker
	started  int
	refused  uint64 // writes of workers that were stopped
	longest  float64
	input    string
	load     load
}

type fleetWorker struct {
	*process
	name, url string
}

// load is what is ingested meanwhile.
type load struct {
	parts   []string
	urls    atomic.Pointer[[]string] // of workers that are well
	stop    context.CancelFunc
	running sync.WaitGroup
}

// TestFleet disturbs a fleet of three processes on three servers while it works: workers are killed, stopped and continued, leave and
// join, a server is lost, a workflow is forgotten. In the end the tables are those of one worker, an audit on each worker finds them
// to be what the log says, and each promotion is there once. TEST_FLEET=20 has so many disturbances, with the tables in a bucket, too.
func TestFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	rounds, err := strconv.Atoi(os.Getenv("TEST_FLEET"))
	stores := map[string]func(t *testing.T, data string) (flags []string, tables func() string){
		"folder": func(_ *testing.T, data string) ([]string, func() string) {
			return []string{"--store", filepath.Join(data, "sovereign")}, func() string { return data }
		},
	}
	if err == nil {
		stores["bucket"] = func(t *testing.T, _ string) ([]string, func() string) {
			server := gateway.Start(t)
			return bucketFlags(t, server.URL()), func() string { return ofBucket(t, server) }
		}
	}
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			flags, tables := store(t, t.TempDir())
			disturbFleet(t, rounds, flags, tables)
		})
	}
}

func disturbFleet(t *testing.T, rounds int, store []string, tables func() string) {
	seed := uint64(time.Now().UnixNano())
	f := &fleetOf{
		t: t, random: rand.New(rand.NewPCG(seed, 0)), nodes: cluster.Start(t, nil), store: store, registry: newRegistry(t), input: t.TempDir(),
	}
	if status, _ := runHere(t, f.args("fleet", "init", "--partitions", strconv.Itoa(fleetPartitions))...); status != exitDone {
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
	faults := []func(){f.kill, f.zombie, f.leave, f.loseServer, f.forget}
	f.random.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
	for _, fault := range faults {
		fault()
	}
	for range rounds - len(faults) {
		[]func(){f.kill, f.zombie, f.leave}[f.random.IntN(3)]()
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
	f.compare(tables())
	t.Logf("seed %d: %d parts; %d writes refused; longest take-over %.1f s", seed, len(f.load.parts), f.refused, f.longest)
}

// args are those of a command about the fleet.
func (f *fleetOf) args(args ...string) []string {
	return append(append(args, "--nats", f.nodes.URL()), f.store...)
}

// start starts one more worker, with nothing on its disk.
func (f *fleetOf) start() {
	f.t.Helper()
	f.started++
	name := fmt.Sprintf("w%d", f.started)
	p, url := serve(f.t, filepath.Join(f.t.TempDir(), name), f.args("--name", name, "--registry", f.registry.URL)...)
	f.workers = append(f.workers, &fleetWorker{p, name, url})
	f.t.Cleanup(func() {
		if f.t.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			f.t.Logf("%s says %s", name, &p.said)
		}
	})
	f.offer()
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

// any is a worker.
func (f *fleetOf) any() *fleetWorker { return f.workers[f.random.IntN(len(f.workers))] }

// gone waits until a worker owns nothing any more.
func (f *fleetOf) gone(w *fleetWorker) {
	f.t.Helper()
	f.await("what "+w.name+" owned has another owner", func() bool {
		owned := f.owned()
		return owned[w.name]+owned[""] == 0 && len(owned) > 0
	})
}

func (f *fleetOf) remove(w *fleetWorker) {
	f.workers = slices.DeleteFunc(f.workers, func(o *fleetWorker) bool { return o == w })
	f.offer()
}

// kill kills a worker, and starts another one in its place.
func (f *fleetOf) kill() {
	f.settle()
	w := f.any()
	f.offer(w)
	_ = w.Process.Kill()
	f.gone(w)
	f.remove(w)
	for _, other := range f.workers {
		f.longest = max(f.longest, f.metric(other, "assay_fleet_take_over_longest_seconds"))
	}
	f.start()
}

// zombie stops workers, has their partitions taken over and continues them, until something that one of them goes on to write is refused.
func (f *fleetOf) zombie() {
	before := f.refused
	for range stopsMost {
		f.settle()
		w := f.any()
		was := uint64(f.metric(w, "assay_fleet_refused_writes_total"))
		f.offer(w)
		_ = w.Process.Signal(syscall.SIGSTOP)
		f.gone(w)
		_ = w.Process.Signal(syscall.SIGCONT)
		f.settle()
		f.offer()
		f.refused += uint64(f.metric(w, "assay_fleet_refused_writes_total")) - was
		if f.refused > before {
			return
		}
	}
	f.t.Errorf("nothing was refused to a worker that was stopped %d times", stopsMost)
}

// leave has a worker leave in good order, and another one join.
func (f *fleetOf) leave() {
	f.settle()
	w := f.any()
	f.offer(w)
	w.stop(f.t)
	f.remove(w)
	f.start()
}

// loseServer shuts one of the servers down.
func (f *fleetOf) loseServer() { f.nodes.Nodes[f.random.IntN(len(f.nodes.Nodes))].Shutdown() }

// forget forgets a workflow of the part that came first.
func (f *fleetOf) forget() {
	f.settle()
	f.await("a workflow is forgotten", func() bool {
		status, _ := runHere(f.t, "forget", workflowsOf(0)[0], "--server", f.any().url, "--abandon", "--yes")
		return status == exitDone
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
	if status, _ := runHere(f.t, "forget", workflowsOf(0)[0], "--data", calm, "--abandon", "--yes"); status != exitDone {
		f.t.Fatalf("forget ends with %d", status)
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
