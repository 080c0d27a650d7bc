package main

import (
	"slices"
	"strings"
	"sync"
	"syscall"

	"assay/internal/app"
	"assay/internal/test/link"
	"assay/streams"
)

// What happens to a fleet in TestFleet.

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

// cut cuts a worker off from the log until its partitions have other owners. What it goes on to write when it is back is refused.
func (f *fleetOf) cut() {
	f.settle()
	w := f.any()
	was := uint64(f.metric(w, "assay_fleet_refused_writes_total"))
	f.offer(w)
	each(w.log, (*link.Link).Cut)
	f.gone(w)
	each(w.log, (*link.Link).Mend)
	f.settle()
	f.offer()
	f.refused += uint64(f.metric(w, "assay_fleet_refused_writes_total")) - was
}

// leaveWhileCut tells a worker to stop that is cut off from the log. It ends all the same.
func (f *fleetOf) leaveWhileCut() {
	f.settle()
	w := f.any()
	f.offer(w)
	each(w.log, (*link.Link).Cut)
	w.stop(f.t)
	if !strings.Contains(w.said.String(), "stopping without the log") {
		f.t.Errorf("%s, cut off from the log, stopped as if it were not", w.name)
	}
	f.gone(w)
	f.remove(w)
	f.start()
}

// cutStore cuts a worker off from the store while it goes on to capture. It keeps its partitions, and catches up.
func (f *fleetOf) cutStore() {
	f.settle()
	w := f.any()
	each(w.store, (*link.Link).Cut)
	urls := []string{w.url}
	f.load.urls.Store(&urls)
	most := f.load.ingested.Load() + 2 // the first of them may have begun elsewhere
	f.await("what is captured meanwhile", func() bool { return f.load.ingested.Load() >= most })
	each(w.store, (*link.Link).Mend)
	f.offer()
}

// restartAll stops one worker after the other in good order and starts it again on the same disk, as to bring in a new version. No
// partition is without a living owner meanwhile.
func (f *fleetOf) restartAll() {
	for _, w := range f.workers {
		f.settle()
		took := f.takeOvers(w)
		f.offer(w)
		w.stop(f.t)
		f.gone(w)
		f.startAgain(w)
		if now := f.takeOvers(w); now > took {
			f.t.Errorf("%d partitions were taken over as those of a dead worker while %s was started again", now-took, w.name)
		}
	}
}

// takeOvers is how many partitions of dead workers all but one worker have taken over.
func (f *fleetOf) takeOvers(but *fleetWorker) (sum int) {
	for _, w := range f.workers {
		if w != but {
			sum += int(f.metric(w, "assay_fleet_take_overs_total"))
		}
	}
	return sum
}

func each(links []*link.Link, do func(*link.Link)) {
	for _, l := range links {
		do(l)
	}
}

// loseServer shuts one of the servers down.
func (f *fleetOf) loseServer() { f.nodes.Nodes[f.random.IntN(len(f.nodes.Nodes))].Shutdown() }

// forget forgets a workflow of the part that came first.
func (f *fleetOf) forget() {
	f.settle()
	workflow := f.another()
	f.await("a workflow is forgotten", func() bool {
		status, _ := runHere(f.t, "forget", workflow, "--server", f.any().url, "--abandon", "--yes")
		return status == exitDone
	})
}

// another is a workflow of the part that came first, to be forgotten.
func (f *fleetOf) another() string {
	f.forgotten = append(f.forgotten, workflowsOf(0)[len(f.forgotten)])
	return f.forgotten[len(f.forgotten)-1]
}

// killForgetting kills the worker that leads while it forgets a workflow; the next one that leads ends that, and nobody has to ask again.
func (f *fleetOf) killForgetting() {
	f.settle()
	s, ok := f.status()
	if !ok {
		f.t.Fatal("there is no status of the fleet")
	}
	w := f.workers[slices.IndexFunc(f.workers, func(w *fleetWorker) bool { return w.name == s.Partitions[app.Leading].Owner })]
	config := streams.DefaultConfig()
	config.Joining = true
	log, err := streams.Open(f.t.Context(), f.nodes.Connect(f.t), config)
	if err != nil {
		f.t.Fatal(err)
	}
	workflow := f.another()
	tombstone := func() *streams.Tombstone {
		t, err := log.Tombstone(f.t.Context(), workflow)
		if err != nil {
			return nil
		}
		return t
	}
	f.offer(w)
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() {
		for tombstone() == nil && f.t.Context().Err() == nil {
			runHere(f.t, "forget", workflow, "--server", w.url, "--abandon", "--yes")
		}
	})
	f.await("a tombstone", func() bool { return tombstone() != nil })
	_ = w.Process.Kill()
	asking.Wait()
	f.t.Logf("killed while forgetting: %v", !tombstone().Done)
	f.gone(w)
	f.remove(w)
	f.start()
	f.await("what was interrupted of forgetting is done", func() bool {
		t := tombstone()
		return t != nil && t.Done
	})
}
