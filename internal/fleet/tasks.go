package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Owner is who owns a partition.
type Owner struct {
	Name     string `json:"owner"`
	Instance string `json:"instance"`
	Epoch    uint64 `json:"epoch"`
	Released bool   `json:"released,omitempty"` // it has given the partition back
}

type owned struct {
	Owner
	revision uint64
}

// task is what is done with a partition here.
type task struct {
	owns    bool
	epoch   uint64    // that an owner begins
	dead    bool      // who owned the partition before
	since   time.Time // when that was heard last
	current bool
	stop    context.CancelFunc
	done    chan struct{}
	err     error // set before done is closed
}

// see does what is to be done about a partition; mu is held. It only begins and ends tasks, which do what takes time.
func (f *Fleet) see(ctx context.Context, p int, wanted share) {
	self, o := f.opts.Self.Name, f.owners[p]
	if t := f.tasks[p]; t != nil && !f.ends(p, t, o, wanted) {
		return
	}
	switch {
	case time.Now().Before(f.rests[p]):
	case wanted.owner == self && f.free(o):
		f.beginToOwn(ctx, p, o)
	case (wanted.standby == self || wanted.owner == self) && f.opts.Follow != nil:
		t := f.begin(ctx, p, &task{}, func(ctx context.Context, t *task) error {
			return f.opts.Follow(ctx, p, func() { f.isCurrent(p, t) })
		})
		t.since = time.Now()
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
	self := f.opts.Self
	switch {
	case t.owns && o != nil && (o.Epoch > t.epoch || o.Epoch == t.epoch && o.Instance != self.Instance):
		t.stop() // somebody has taken it over
	case t.owns && wanted.owner != self.Name && f.prepared(wanted.owner, p):
		t.stop() // somebody is to have it, who waits for this one to be done
	case !t.owns && wanted.standby != self.Name && wanted.owner != self.Name:
		t.stop()
	case !t.owns && wanted.owner == self.Name && f.free(o):
		t.stop() // the copy is to be owned
	}
	return false
}

// prepared tells whether a worker is able to take a partition over without delay: it has a copy, or does not make one.
func (f *Fleet) prepared(name string, p int) bool {
	m := f.members[name]
	return m != nil && (f.opts.Follow == nil || slices.Contains(m.Copies, p))
}

// ended notes how something has ended.
func (f *Fleet) ended(p int, t *task) {
	delete(f.tasks, p)
	if t.err != nil && !errors.Is(t.err, context.Canceled) && !errors.Is(t.err, errFirst) {
		f.rests[p] = time.Now().Add(f.opts.Beat)
		f.stats.Failures++
		f.opts.Logger.Warn("fleet: a partition is given up", "partition", p, "epoch", t.epoch, "owned", t.owns, "error", t.err)
	}
	if t.owns && t.current {
		f.stats.Moves++
	}
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

// errFirst means that another worker has taken a partition over before.
var errFirst = errors.New("fleet: another worker was first")

// beginToOwn takes a partition over and owns it; mu is held.
func (f *Fleet) beginToOwn(ctx context.Context, p int, o *owned) {
	t := &task{owns: true, epoch: 1, since: time.Now()}
	var revision uint64
	if o != nil {
		t.epoch, revision = o.Epoch+1, o.revision
		t.dead = !o.Released && o.Name != f.opts.Self.Name
	}
	if m := f.membersOf(o); t.dead && m != nil {
		t.since = m.at
	}
	f.begin(ctx, p, t, func(ctx context.Context, t *task) error {
		self := Owner{Name: f.opts.Self.Name, Instance: f.opts.Self.Instance, Epoch: t.epoch}
		if err := f.write(ctx, p, self, revision); err != nil {
			return err
		}
		f.opts.Logger.Info("fleet: taking a partition over", "partition", p, "epoch", t.epoch)
		err := f.opts.Own(ctx, p, t.epoch, func() { f.isCurrent(p, t) })
		return errors.Join(err, f.release(context.WithoutCancel(ctx), p, t.epoch))
	})
}

func (f *Fleet) membersOf(o *owned) *seen {
	if o == nil {
		return nil
	}
	return f.members[o.Name]
}

// begin begins a task; mu is held.
func (f *Fleet) begin(ctx context.Context, p int, t *task, do func(context.Context, *task) error) *task {
	running, stop := context.WithCancel(ctx)
	t.stop, t.done = stop, make(chan struct{})
	f.tasks[p] = t
	go func() {
		defer wake(f.kick)
		defer close(t.done)
		defer stop()
		t.err = do(running, t)
	}()
	return t
}

// isCurrent notes that a task has its partition as the last owner left it.
func (f *Fleet) isCurrent(p int, t *task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.current {
		return
	}
	t.current = true
	if !t.owns {
		wake(f.renew) // others want to know
		return
	}
	took := time.Since(t.since)
	if t.dead {
		f.stats.TakeOvers++
		f.stats.TakeOverTime += took
		f.stats.LongestTakeOver = max(f.stats.LongestTakeOver, took)
	}
	f.opts.Logger.Info("fleet: a partition is owned", "partition", p, "epoch", t.epoch, "taken_over", t.dead, "took", took)
}

// write writes who owns a partition, if its entry is still in that revision. Errors wrap errFirst if it is not.
func (f *Fleet) write(ctx context.Context, p int, o Owner, was uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 2*f.opts.Beat)
	defer cancel()
	value, err := json.Marshal(o)
	if err != nil {
		return err
	}
	key := strconv.Itoa(p)
	revision, err := f.opts.Owners.Update(ctx, key, value, was)
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.note(p, &owned{o, revision})
		return nil
	}
	if entry, getErr := f.opts.Owners.Get(ctx, key); getErr == nil { // whoever watches may not have been told yet
		f.mu.Lock()
		defer f.mu.Unlock()
		f.told(entry)
	}
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return errors.Join(errFirst, err)
	}
	return err
}

// release gives a partition back, unless somebody has it already. It tries until that is written, or this worker has to go: as long
// as it lives and has not given the partition back, nobody takes it.
func (f *Fleet) release(ctx context.Context, p int, epoch uint64) error {
	for began := time.Now(); ; {
		f.mu.Lock()
		o, leaving := f.owners[p], f.leaving
		f.mu.Unlock()
		if o == nil || o.Epoch != epoch || o.Instance != f.opts.Self.Instance || o.Released {
			return nil
		}
		given := o.Owner
		given.Released = true
		err := f.write(ctx, p, given, o.revision)
		if err == nil || errors.Is(err, errFirst) {
			return nil
		}
		gone := errors.Is(err, nats.ErrConnectionClosed) || leaving && time.Since(began) > f.opts.DeadAfter
		if gone || wait(ctx, f.opts.Beat) != nil {
			return err
		}
	}
}

// handOver has the others take over what this worker owns, and waits until it owns nothing.
func (f *Fleet) handOver() {
	f.mu.Lock()
	f.leaving = true
	wake(f.renew)
	var ending sync.WaitGroup
	for p, t := range f.tasks {
		t.stop()
		ending.Go(func() {
			<-t.done
			f.mu.Lock()
			defer f.mu.Unlock()
			f.ended(p, t)
		})
	}
	f.mu.Unlock()
	ending.Wait()
}

// leave takes the own key away. A renewal that was broken off may have changed its revision.
func (f *Fleet) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*f.opts.Beat)
	defer cancel()
	for {
		err := f.opts.Members.Delete(ctx, f.opts.Self.Name, jetstream.LastRevision(f.revision))
		if !errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return err
		}
		entry, err := f.opts.Members.Get(ctx, f.opts.Self.Name)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		var m Member
		if json.Unmarshal(entry.Value(), &m) != nil || m.Instance != f.opts.Self.Instance {
			return nil // another one has the name
		}
		f.revision = entry.Revision()
	}
}
