package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"assay/streams"
	"assay/streams/streamstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const partitions = 8

// bed is a log on which workers meet, and who owns what by their own account.
type bed struct {
	server *streams.Server

	mu      sync.Mutex
	changed chan struct{} // closed at each change
	owning  map[string]map[int]uint64
	epochs  map[int]uint64 // the highest that each partition was owned in
}

func newBed(t *testing.T) *bed {
	b := &bed{server: streamstest.Start(t), changed: make(chan struct{}), owning: map[string]map[int]uint64{}, epochs: map[int]uint64{}}
	js := b.jetStream(t, streamstest.Connect(t, b.server))
	for _, name := range []string{"members", "owners"} {
		if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: name}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *bed) jetStream(t *testing.T, conn *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func (b *bed) bucket(t *testing.T, js jetstream.JetStream, name string) jetstream.KeyValue {
	t.Helper()
	kv, err := js.KeyValue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// worker is a worker, and how to end it.
type worker struct {
	*Fleet
	cut   func() // it reaches the log no more
	leave func() error
}

// start has a worker join; change, if not nil, changes its options.
func (b *bed) start(t *testing.T, name string, change func(*Options)) *worker {
	t.Helper()
	conn := streamstest.Connect(t, b.server)
	js := b.jetStream(t, conn)
	opts := Options{
		Members: b.bucket(t, js, "members"), Owners: b.bucket(t, js, "owners"), Partitions: partitions,
		Self: Member{Name: name, Folds: true}, Logger: slog.New(slog.DiscardHandler),
		Beat: 100 * time.Millisecond, DeadAfter: 500 * time.Millisecond, RemoveAfter: time.Minute,
		Own: func(ctx context.Context, p int, epoch uint64, current func()) error {
			current()
			b.own(name, p, epoch)
			<-ctx.Done()
			b.own(name, p, 0)
			return nil
		},
		Follow: func(ctx context.Context, _ int, current func()) error {
			current()
			<-ctx.Done()
			return nil
		},
	}
	if change != nil {
		change(&opts)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &worker{Fleet: New(opts), cut: conn.Close}
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	w.leave = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = w.leave() }) // whoever was cut off cannot
	return w
}

// own notes that a worker takes itself for the owner in an epoch, 0 that it does no more.
func (b *bed) own(name string, p int, epoch uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owning[name] == nil {
		b.owning[name] = map[int]uint64{}
	}
	b.owning[name][p] = epoch
	b.epochs[p] = max(b.epochs[p], epoch)
	close(b.changed)
	b.changed = make(chan struct{})
}

// until waits until something holds of who owns what.
func (b *bed) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		b.mu.Lock()
		done, changed := holds(), b.changed
		state := fmt.Sprint(b.owning)
		b.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%s: not within a minute: %s", what, state)
		}
	}
}

// all tells whether these workers own everything in the newest epochs, and each of them something; mu is held.
func (b *bed) all(names ...string) bool {
	owners := map[int]int{}
	for _, name := range names {
		some := false
		for p, epoch := range b.owning[name] {
			if epoch > 0 && epoch == b.epochs[p] {
				owners[p]++
				some = true
			}
		}
		if !some {
			return false
		}
	}
	return len(owners) == partitions
}

// Partitions go to whoever joins, and come back when it leaves or is cut off, each time in a higher epoch.
func TestPartitionsHaveOwners(t *testing.T) {
	b := newBed(t)
	first := b.start(t, "first", nil)
	b.until(t, "the first worker owns everything", func() bool { return b.all("first") })
	second := b.start(t, "second", nil)
	b.until(t, "two workers share", func() bool { return b.all("first", "second") })
	third := b.start(t, "third", nil)
	b.until(t, "three workers share", func() bool { return b.all("first", "second", "third") })

	if err := second.leave(); err != nil {
		t.Error(err)
	}
	b.until(t, "two are left", func() bool { return b.all("first", "third") })
	if stats := first.Stats(); stats.TakeOvers > 0 {
		t.Errorf("what a worker has given back counts as taken over: %+v", stats)
	}
	third.cut()
	b.until(t, "one is left", func() bool { return b.all("first") })
	if stats := first.Stats(); stats.TakeOvers == 0 || stats.LongestTakeOver < 500*time.Millisecond || stats.TakeOverTime < stats.LongestTakeOver {
		t.Errorf("a worker was cut off: %+v", stats)
	}
	if third.Fresh() || !first.Fresh() {
		t.Error("a worker that is cut off would answer, or one that is not would not")
	}
	s, err := Read(t.Context(), first.opts.Members, first.opts.Owners, partitions)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Partitions {
		o, err := ReadOwner(t.Context(), first.opts.Owners, p.Partition)
		if p.Owner != "first" || err != nil || o != first.OwnerOf(p.Partition) || o.Epoch != p.Epoch {
			t.Errorf("who comes to read is told %+v and %+v, error %v", p, o, err)
		}
	}
}

// A living worker keeps its name.
func TestTwoWorkersOfOneName(t *testing.T) {
	b := newBed(t)
	first := b.start(t, "same", nil)
	b.until(t, "the first of them works", func() bool { return b.all("same") })
	if err := New(first.opts).Run(t.Context()); !errors.Is(err, ErrName) {
		t.Errorf("error %v, want %v", err, ErrName)
	}
}

// slowBucket is a bucket that does not answer while it is blocked.
type slowBucket struct {
	jetstream.KeyValue
	asked, answer chan struct{}
}

func (s *slowBucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	select {
	case s.asked <- struct{}{}:
	default:
	}
	select {
	case <-s.answer:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return s.KeyValue.Update(ctx, key, value, revision)
}

// A log that does not answer as partitions are taken keeps nobody from being told what is known, and the worker is heard meanwhile.
func TestNothingWaitsForTheOwners(t *testing.T) {
	b := newBed(t)
	slow := &slowBucket{asked: make(chan struct{}, 1), answer: make(chan struct{})}
	w := b.start(t, "slow", func(o *Options) {
		slow.KeyValue = o.Owners
		o.Owners, o.Beat, o.DeadAfter = slow, time.Second, time.Minute
	})
	<-slow.asked
	if s := w.Status(); len(s.Members) != 1 || len(s.Partitions) != partitions {
		t.Errorf("it is told %+v", s)
	}
	watch, err := w.opts.Members.Watch(t.Context(), "slow", jetstream.UpdatesOnly())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watch.Stop() }()
	for range 2 {
		<-watch.Updates()
	}
	close(slow.answer)
	b.until(t, "it owns everything", func() bool { return b.all("slow") })
}

// A worker that was out of touch is fresh again once it has caught up, and not before. The keys of those that are dead for long go away.
func TestAWorkerOutOfTouch(t *testing.T) {
	b := newBed(t)
	woken := make(chan error)
	w := b.start(t, "w", func(o *Options) {
		o.Woken = func(ctx context.Context) error {
			select {
			case err := <-woken:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		o.Beat, o.DeadAfter, o.RemoveAfter = 500*time.Millisecond, time.Minute, 2*time.Second
	})
	woken <- errors.New("not yet")
	if w.Fresh() {
		t.Error("it is fresh although it has not caught up")
	}
	woken <- nil
	b.until(t, "it owns everything", func() bool { return b.all("w") && w.Fresh() })

	dead := b.start(t, "dead", func(o *Options) { o.Self.Folds, o.DeadAfter = false, time.Minute })
	watch, err := w.opts.Members.Watch(t.Context(), "dead")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watch.Stop() }()
	cut := false
	for entry := range watch.Updates() {
		if entry != nil && entry.Operation() != jetstream.KeyValuePut {
			break
		}
		if entry != nil && !cut {
			cut = true
			dead.cut()
		}
	}
}
