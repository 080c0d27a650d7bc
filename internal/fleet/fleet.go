package fleet

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrName means that a living worker has the name already.
var ErrName = errors.New("fleet: another worker has this name")

// Options configure a worker's part in the fleet.
type Options struct {
	Members, Owners jetstream.KeyValue
	Self            Member // Instance and Started are filled in
	Partitions      int
	Logger          *slog.Logger

	// Own owns a partition under an epoch until ctx ends, and then hands it over in good order; it calls current when the partition is
	// where its last owner left it. An error has it taken over anew.
	Own func(ctx context.Context, partition int, epoch uint64, current func()) error
	// Follow keeps a copy of a partition's state until ctx ends, ready to be taken over; it calls current when the copy is near the
	// state. nil: nothing is followed.
	Follow func(ctx context.Context, partition int, current func()) error
	// Woken, if not nil, brings up to date what others may have changed while this worker was out of touch. It is Fresh again
	// once that has succeeded.
	Woken func(ctx context.Context) error

	Beat        time.Duration // how often a worker renews its key
	DeadAfter   time.Duration // how long a key may stay as it is while the watcher itself is well
	RemoveAfter time.Duration // how long the key of a dead worker is kept
}

// DefaultOptions returns the times that the fleet promises; the caller adds the rest.
func DefaultOptions() Options {
	return Options{Beat: time.Second, DeadAfter: 4 * time.Second, RemoveAfter: 10 * time.Minute}
}

// Fleet is a worker's part in the fleet. Its methods may be called from several goroutines.
type Fleet struct {
	opts     Options
	revision uint64        // of the own key; whoever beats has it
	kick     chan struct{} // asks for a turn at once
	renew    chan struct{} // asks for the key to be renewed at once

	mu      sync.Mutex
	beaten  time.Time // when the last renewal of the own key that has succeeded began
	leaving bool
	members map[string]*seen
	owners  map[int]*owned
	tasks   map[int]*task
	rests   map[int]time.Time // of partitions where something failed: no earlier is it tried again
	ready   int               // watches that have told all there was
	again   chan struct{}     // closed when watching is to begin anew
	watched time.Time         // when it last was
	stats   Stats
	joined  bool
}

// Stats count what this worker has done.
type Stats struct {
	TakeOvers uint64 // of partitions whose owner was dead
	Moves     uint64 // partitions handed over to another worker
	Failures  uint64 // times that owning a partition ended with an error

	// TakeOverTime is how long all take-overs took together, from when the owner was heard last until the partition was current;
	// LongestTakeOver is the longest of them.
	TakeOverTime, LongestTakeOver time.Duration
}

// New returns a worker's part; Run begins it.
func New(opts Options) *Fleet {
	opts.Self.Instance, opts.Self.Started = uuid.NewString(), time.Now().UTC()
	return &Fleet{
		opts: opts, kick: make(chan struct{}, 1), renew: make(chan struct{}, 1), again: make(chan struct{}),
		members: map[string]*seen{}, owners: map[int]*owned{}, tasks: map[int]*task{}, rests: map[int]time.Time{},
	}
}

// Run takes part until ctx ends, and then hands over what it owns and leaves. Errors wrap ErrName or are those of the buckets at
// the start.
func (f *Fleet) Run(ctx context.Context) error {
	if err := f.join(ctx); err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var parts sync.WaitGroup
	defer parts.Wait()
	defer stop()
	parts.Go(func() { f.watch(running, f.opts.Members, f.heard) })
	parts.Go(func() { f.watch(running, f.opts.Owners, f.told) })
	var beats sync.WaitGroup
	beating, silence := context.WithCancel(running)
	defer silence()
	beats.Go(func() { f.beatRegularly(beating) })
	f.turns(ctx, running)
	f.handOver()
	silence()
	beats.Wait()
	return f.leave(running)
}

// turns sees to the partitions until ctx ends.
func (f *Fleet) turns(ctx, running context.Context) {
	tick := time.NewTicker(f.opts.Beat / 2)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-f.kick:
		}
		late := time.Since(last) > 2*f.opts.Beat
		last = time.Now()
		f.turn(running, late)
	}
}

// turn sees to the partitions. Silence of others counts only while this worker hears itself, and is not late.
func (f *Fleet) turn(ctx context.Context, late bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if late || !f.hears() {
		for _, m := range f.members {
			if m.Name != f.opts.Self.Name {
				m.at = time.Now()
			}
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

// hears tells whether this worker's own key has come back to it of late. Where it is renewed and does not come, the watches are
// begun anew: the server that had them may be gone. mu is held.
func (f *Fleet) hears() bool {
	self := f.members[f.opts.Self.Name]
	if self != nil && time.Since(self.at) <= 2*f.opts.Beat {
		return true
	}
	if f.ready == 2 && time.Since(f.beaten) < 2*f.opts.Beat && time.Since(f.watched) > f.opts.DeadAfter {
		f.watched = time.Now()
		close(f.again)
		f.again = make(chan struct{})
	}
	return false
}

// wake asks for something without waiting for it.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is asked for already
	}
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
