package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrName means that a living worker has the name already.
var ErrName = errors.New("fleet: another worker has this name")

// Member is a worker.
type Member struct {
	Name     string    `json:"name"`
	Instance string    `json:"instance"` // tells one start of it from another
	URL      string    `json:"url,omitempty"`
	Version  string    `json:"version,omitempty"`
	Folds    bool      `json:"folds"` // it may own partitions
	Started  time.Time `json:"started_at"`
}

// Owner is who owns a partition.
type Owner struct {
	Name     string `json:"owner"`
	Instance string `json:"instance"`
	Epoch    uint64 `json:"epoch"`
	Released bool   `json:"released,omitempty"` // it has given the partition back
}

// Options configure a worker's part in the fleet.
type Options struct {
	Members, Owners jetstream.KeyValue
	Self            Member // Instance and Started are filled in
	Partitions      int
	Logger          *slog.Logger

	// Own owns a partition under an epoch until ctx ends, and then hands it over in good order. An error has it taken over anew.
	Own func(ctx context.Context, partition int, epoch uint64) error
	// Follow keeps a copy of a partition's state until ctx ends, ready to be taken over.
	Follow func(ctx context.Context, partition int) error

	Beat      time.Duration // how often a worker renews its key
	DeadAfter time.Duration // how long a key may stay as it is while the watcher itself is well
}

// DefaultOptions returns the times that the fleet promises; the caller adds the rest.
func DefaultOptions() Options { return Options{Beat: time.Second, DeadAfter: 4 * time.Second} }

// Fleet is a worker's part in the fleet. Its methods may be called from several goroutines.
type Fleet struct {
	opts     Options
	revision uint64 // of the own key
	beaten   time.Time

	mu      sync.Mutex
	members map[string]*seen
	owners  map[int]*owned
	tasks   map[int]*task
	rests   map[int]time.Time // of partitions where something failed: no earlier is it tried again
	ready   int               // watches that have told all there was
	stats   Stats
	joined  bool
}

// Stats count what this worker has done.
type Stats struct {
	TakeOvers uint64 // of partitions whose owner was dead
	Moves     uint64 // partitions handed over to another worker
	Failures  uint64 // times that owning a partition ended with an error
}

// seen is a member as it was last heard of.
type seen struct {
	Member
	revision uint64
	at       time.Time // by this worker's monotonic clock
}

type owned struct {
	Owner
	revision uint64
}

// task is what is done with a partition here.
type task struct {
	owns  bool
	epoch uint64
	stop  context.CancelFunc
	done  chan struct{}
	err   error
}

// New returns a worker's part; Run begins it.
func New(opts Options) *Fleet {
	opts.Self.Instance, opts.Self.Started = uuid.NewString(), time.Now().UTC()
	return &Fleet{opts: opts, members: map[string]*seen{}, owners: map[int]*owned{}, tasks: map[int]*task{}, rests: map[int]time.Time{}}
}

// Run takes part until ctx ends, and then hands over what it owns and leaves. Errors wrap ErrName or are those of the buckets at
// the start.
func (f *Fleet) Run(ctx context.Context) error {
	if err := f.join(ctx); err != nil {
		return err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var watches sync.WaitGroup
	defer watches.Wait()
	defer stop()
	watches.Go(func() { f.watch(watching, f.opts.Members, f.heard) })
	watches.Go(func() { f.watch(watching, f.opts.Owners, f.told) })
	tick := time.NewTicker(f.opts.Beat / 2)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return f.leave(context.WithoutCancel(ctx))
		case <-tick.C:
		}
		late := time.Since(last) > 2*f.opts.Beat
		last = time.Now()
		f.turn(ctx, late)
	}
}

// turn renews the key and sees to the partitions. Silence of others counts only while this worker is heard itself, and not late.
func (f *Fleet) turn(ctx context.Context, late bool) {
	if time.Since(f.beaten) >= f.opts.Beat {
		if err := f.beat(ctx); err != nil {
			if ctx.Err() == nil {
				f.opts.Logger.Warn("fleet: the own key is not renewed", "error", err)
			}
			late = true
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if late {
		for _, m := range f.members {
			m.at = time.Now()
		}
		return
	}
	if f.ready < 2 {
		return
	}
	for p, wanted := range shares(f.folding(), f.opts.Partitions) {
		f.see(ctx, p, wanted)
	}
}

// join writes the own key. One that an earlier start left behind must have been silent for as long as the dead are.
func (f *Fleet) join(ctx context.Context) error {
	value, err := json.Marshal(f.opts.Self)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	var silent uint64 // revision that was seen
	for {
		entry, err := f.opts.Members.Get(ctx, f.opts.Self.Name)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			f.revision, err = f.opts.Members.Create(ctx, f.opts.Self.Name, value)
		case err == nil && entry.Revision() == silent:
			f.revision, err = f.opts.Members.Update(ctx, f.opts.Self.Name, value, silent)
		case err == nil && silent != 0:
			return fmt.Errorf("%w: %q: give this one another by --name", ErrName, f.opts.Self.Name)
		case err == nil:
			silent = entry.Revision()
			if err = wait(ctx, f.opts.DeadAfter); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("fleet: join: %w", err)
		}
		f.beaten = time.Now()
		return nil
	}
}

func (f *Fleet) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*f.opts.Beat)
	defer cancel()
	value, err := json.Marshal(f.opts.Self)
	if err != nil {
		return err
	}
	revision, err := f.opts.Members.Update(ctx, f.opts.Self.Name, value, f.revision)
	if err == nil {
		f.revision, f.beaten = revision, time.Now()
		return nil
	}
	// The answer to an earlier beat may have been lost, or the key removed.
	entry, getErr := f.opts.Members.Get(ctx, f.opts.Self.Name)
	if errors.Is(getErr, jetstream.ErrKeyNotFound) {
		f.revision, err = f.opts.Members.Create(ctx, f.opts.Self.Name, value)
		return err
	}
	var m Member
	if getErr == nil && json.Unmarshal(entry.Value(), &m) == nil && m.Instance == f.opts.Self.Instance {
		f.revision = entry.Revision()
	}
	return err
}

// watch passes what a bucket has, and what changes, to use until ctx ends.
func (f *Fleet) watch(ctx context.Context, kv jetstream.KeyValue, use func(jetstream.KeyValueEntry)) {
	told := false
	for ctx.Err() == nil {
		watcher, err := kv.WatchAll(ctx)
		if err != nil {
			_ = wait(ctx, f.opts.Beat) // its error is the context's
			continue
		}
		for open := true; open; {
			var entry jetstream.KeyValueEntry
			select {
			case entry, open = <-watcher.Updates():
			case <-ctx.Done():
				open = false
			}
			f.mu.Lock()
			switch {
			case !open:
			case entry == nil && !told:
				told = true
				f.ready++
			case entry != nil:
				use(entry)
			}
			f.mu.Unlock()
		}
		_ = watcher.Stop() // the server forgets it anyway
	}
}

// heard notes a member's key.
func (f *Fleet) heard(entry jetstream.KeyValueEntry) {
	if entry.Operation() != jetstream.KeyValuePut {
		delete(f.members, entry.Key())
		return
	}
	m := &seen{revision: entry.Revision(), at: time.Now()}
	if err := json.Unmarshal(entry.Value(), &m.Member); err == nil && m.Name == entry.Key() {
		f.members[entry.Key()] = m
	}
}

// told notes who owns a partition.
func (f *Fleet) told(entry jetstream.KeyValueEntry) {
	p, err := strconv.Atoi(entry.Key())
	if err != nil || entry.Operation() != jetstream.KeyValuePut {
		return
	}
	o := &owned{revision: entry.Revision()}
	if was := f.owners[p]; was != nil && was.revision >= o.revision {
		return
	}
	if err := json.Unmarshal(entry.Value(), &o.Owner); err == nil {
		f.owners[p] = o
	}
}

func (f *Fleet) alive(m *seen) bool { return time.Since(m.at) <= f.opts.DeadAfter }

// folding are the names of the living workers that may own partitions.
func (f *Fleet) folding() (names []string) {
	for name, m := range f.members {
		if m.Folds && f.alive(m) {
			names = append(names, name)
		}
	}
	return names
}

// see does what is to be done about a partition; mu is held.
func (f *Fleet) see(ctx context.Context, p int, wanted share) {
	self, o := f.opts.Self.Name, f.owners[p]
	if t := f.tasks[p]; t != nil && !f.ends(p, t, o, wanted) {
		return
	}
	switch {
	case time.Now().Before(f.rests[p]):
	case wanted.owner == self && f.free(o):
		f.takeOver(ctx, p, o)
	case wanted.standby == self && f.opts.Follow != nil:
		f.begin(ctx, p, false, 0)
	}
}

// ends sees to what is done with a partition, and tells whether that has ended.
func (f *Fleet) ends(p int, t *task, o *owned, wanted share) bool {
	select {
	case <-t.done:
		f.ended(p, t)
		return true
	default:
	}
	self := f.opts.Self.Name
	switch {
	case t.owns && (o == nil || o.Epoch != t.epoch || o.Instance != f.opts.Self.Instance):
		t.stop() // somebody has taken it over
	case t.owns && wanted.owner != self && wanted.owner != "":
		t.stop() // somebody is to have it, who waits for this one to be done
	case !t.owns && wanted.standby != self && wanted.owner != self:
		t.stop()
	case !t.owns && wanted.owner == self && f.free(o):
		t.stop() // the copy is to be owned
	}
	return false
}

// ended notes how something has ended, and gives a partition back that was owned.
func (f *Fleet) ended(p int, t *task) {
	delete(f.tasks, p)
	if t.err != nil && !errors.Is(t.err, context.Canceled) {
		f.rests[p] = time.Now().Add(f.opts.Beat)
		f.stats.Failures++
		f.opts.Logger.Warn("fleet: a partition is given up", "partition", p, "epoch", t.epoch, "owned", t.owns, "error", t.err)
	}
	if !t.owns {
		return
	}
	f.stats.Moves++
	if err := f.release(p, t.epoch); err != nil {
		f.opts.Logger.Warn("fleet: a partition could not be given back", "partition", p, "error", err)
	}
}

// release gives a partition back, unless somebody has it already.
func (f *Fleet) release(p int, epoch uint64) error {
	o := f.owners[p]
	if o == nil || o.Epoch != epoch || o.Instance != f.opts.Self.Instance {
		return nil
	}
	given := o.Owner
	given.Released = true
	return f.write(context.Background(), p, given, o.revision)
}

// free tells whether a partition may be taken: nobody owns it, or who does is dead, or has given it back, or was this worker before
// it was started again.
func (f *Fleet) free(o *owned) bool {
	if o == nil || o.Released || o.Name == f.opts.Self.Name {
		return true
	}
	m := f.members[o.Name]
	return m == nil || m.Instance != o.Instance || !f.alive(m)
}

// takeOver takes a partition by compare-and-set, and begins to own it.
func (f *Fleet) takeOver(ctx context.Context, p int, o *owned) {
	now, revision := Owner{Name: f.opts.Self.Name, Instance: f.opts.Self.Instance, Epoch: 1}, uint64(0)
	if o != nil {
		now.Epoch, revision = o.Epoch+1, o.revision
	}
	if err := f.write(ctx, p, now, revision); err != nil {
		return // another worker was first, or the log does not answer: the next turn looks again
	}
	if o != nil && !o.Released && o.Name != f.opts.Self.Name {
		f.stats.TakeOvers++
	}
	f.opts.Logger.Info("fleet: taking a partition over", "partition", p, "epoch", now.Epoch)
	f.begin(ctx, p, true, now.Epoch)
}

// write writes who owns a partition.
func (f *Fleet) write(ctx context.Context, p int, o Owner, revision uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 2*f.opts.Beat)
	defer cancel()
	value, err := json.Marshal(o)
	if err != nil {
		return err
	}
	revision, err = f.opts.Owners.Update(ctx, strconv.Itoa(p), value, revision)
	if err == nil {
		f.owners[p] = &owned{o, revision}
	}
	return err
}

// begin begins to own a partition, or to follow it.
func (f *Fleet) begin(ctx context.Context, p int, owns bool, epoch uint64) {
	running, stop := context.WithCancel(ctx)
	t := &task{owns: owns, epoch: epoch, stop: stop, done: make(chan struct{})}
	f.tasks[p] = t
	done := t.done
	go func() {
		defer close(done)
		defer stop()
		if owns {
			t.err = f.opts.Own(running, p, epoch)
		} else {
			t.err = f.opts.Follow(running, p)
		}
	}()
}

// leave waits until all that is owned is handed over, and takes the own key away.
func (f *Fleet) leave(ctx context.Context) error {
	f.mu.Lock()
	tasks := maps.Clone(f.tasks)
	f.mu.Unlock()
	for p, t := range tasks {
		t.stop()
		<-t.done
		f.mu.Lock()
		f.ended(p, t)
		f.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*f.opts.Beat)
	defer cancel()
	return f.opts.Members.Delete(ctx, f.opts.Self.Name, jetstream.LastRevision(f.revision))
}

// Status is what this worker knows of the fleet.
type Status struct {
	Members    []MemberStatus    `json:"members"`
	Partitions []PartitionStatus `json:"partitions"`
}

// MemberStatus is a worker, and whether it is heard.
type MemberStatus struct {
	Member
	Alive bool          `json:"alive"`
	Heard time.Duration `json:"-"`
}

// PartitionStatus is who owns a partition.
type PartitionStatus struct {
	Partition int    `json:"partition"`
	Owner     string `json:"owner,omitempty"` // "" while it has none
	Epoch     uint64 `json:"epoch"`
	Lag       uint64 `json:"lag"` // batches that are not folded
}

// Status returns what is known.
func (f *Fleet) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := Status{Members: []MemberStatus{}, Partitions: []PartitionStatus{}}
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		m := f.members[name]
		s.Members = append(s.Members, MemberStatus{m.Member, f.alive(m), time.Since(m.at)})
	}
	for p := range f.opts.Partitions {
		s.Partitions = append(s.Partitions, statusOf(p, f.owners[p]))
	}
	return s
}

func statusOf(p int, o *owned) PartitionStatus {
	status := PartitionStatus{Partition: p}
	if o != nil {
		status.Epoch = o.Epoch
		if !o.Released {
			status.Owner = o.Name
		}
	}
	return status
}

// Stats returns the counts.
func (f *Fleet) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

// OwnerOf returns who owns a partition as far as is known, "" for nobody.
func (f *Fleet) OwnerOf(p int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return statusOf(p, f.owners[p]).Owner
}

// Settled tells whether every partition is with the worker that is to own it.
func (f *Fleet) Settled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, wanted := range shares(f.folding(), f.opts.Partitions) {
		if o := f.owners[p]; o == nil || o.Released || o.Name != wanted.owner {
			return false
		}
	}
	return f.ready == 2
}

// Joined tells whether all partitions have been with their owners since this worker began.
func (f *Fleet) Joined() bool {
	settled := f.Settled()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.joined = f.joined || settled
	return f.joined
}

// wait returns after d, or with the context's error when that ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
