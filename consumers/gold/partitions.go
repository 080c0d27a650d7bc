package gold

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"assay/kernels"
)

// Partitions are those of a log that this process folds: all of them, or in a fleet its share. Its methods may be called from
// several goroutines.
type Partitions struct {
	opts Options

	slots []slot // by number
}

// slot is where a partition is while it is open. It stays so as long as somebody uses it.
type slot struct {
	mu   sync.RWMutex
	gold *Gold
}

// NewPartitions returns a set with none of them open. Dir of the options holds a directory for each, or is that of the only
// one; Partition does not count, and all share the options' limits of memory.
func NewPartitions(opts Options) *Partitions {
	opts.Partitions = max(1, opts.Partitions)
	n := int64(opts.Partitions)
	opts.CacheBytes = max(opts.CacheBytes/n, 1<<20)
	opts.HoldBytes = max(opts.HoldBytes/int(n), 1<<20)
	opts.FetchBytes = max(opts.FetchBytes/int(n), 1<<20)
	return &Partitions{opts: opts, slots: make([]slot, n)}
}

// OpenPartitions opens all of them. Errors are those of Open.
func OpenPartitions(ctx context.Context, opts Options) (*Partitions, error) {
	p := NewPartitions(opts)
	if err := p.OpenAll(ctx, nil); err != nil {
		return nil, err
	}
	return p, nil
}

// OpenAll opens all of them, with options that change, if not nil, has changed, or none. Errors are those of Open.
func (p *Partitions) OpenAll(ctx context.Context, change func(*Options)) error {
	for n := range p.opts.Partitions {
		if _, err := p.Open(ctx, n, change); err != nil {
			return errors.Join(err, p.Close())
		}
	}
	return nil
}

// Dir is where the state of a partition lies.
func (p *Partitions) Dir(n int) string {
	if p.opts.Partitions == 1 {
		return p.opts.Dir
	}
	return filepath.Join(p.opts.Dir, strconv.Itoa(n))
}

// Options are those of one partition.
func (p *Partitions) Options(n int) Options {
	opts := p.opts
	opts.Dir, opts.Partition = p.Dir(n), n
	return opts
}

// Open opens a partition, with options that change, if not nil, has changed. Errors are those of Open.
func (p *Partitions) Open(ctx context.Context, n int, change func(*Options)) (*Gold, error) {
	opts := p.Options(n)
	if change != nil {
		change(&opts)
	}
	if opts.FS != nil {
		if err := opts.FS.MkdirAll(opts.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrState, err)
		}
	}
	g, err := Open(ctx, opts)
	if err != nil {
		if p.opts.Partitions > 1 {
			err = fmt.Errorf("partition %d: %w", n, err)
		}
		return nil, err
	}
	s := &p.slots[n]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gold = g
	return g, nil
}

// Release closes a partition, whose Run must have returned, once nobody uses it any more.
func (p *Partitions) Release(n int) error {
	s := &p.slots[n]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gold == nil {
		return nil
	}
	g := s.gold
	s.gold = nil
	return g.Close()
}

// Close closes all that are open.
func (p *Partitions) Close() error {
	errs := make([]error, 0, len(p.slots))
	for n := range p.slots {
		errs = append(errs, p.Release(n))
	}
	return errors.Join(errs...)
}

// Count is how many partitions the log has, open or not.
func (p *Partitions) Count() int { return len(p.slots) }

// Use returns an open partition, which stays open until done is called; nil if it is not open.
func (p *Partitions) Use(n int) (g *Gold, done func()) {
	s := &p.slots[n]
	s.mu.RLock()
	if s.gold == nil {
		s.mu.RUnlock()
		return nil, func() {}
	}
	return s.gold, s.mu.RUnlock
}

// Has tells whether a partition is open.
func (p *Partitions) Has(n int) bool {
	g, done := p.Use(n)
	defer done()
	return g != nil
}

// Of returns the number of a workflow's partition.
func (p *Partitions) Of(workflow string) int { return kernels.Partition(workflow, p.opts.Partitions) }

// visit passes each open partition to do, in order, until it returns an error.
func (p *Partitions) visit(do func(*Gold) error) error {
	for n := range p.slots {
		g, done := p.Use(n)
		if g == nil {
			continue
		}
		err := do(g)
		done()
		if err != nil {
			return err
		}
	}
	return nil
}

// each runs do for all open partitions at once, and joins the errors.
func (p *Partitions) each(do func(*Gold) error) error {
	var group errgroup.Group
	errs := make([]error, len(p.slots))
	for n := range p.slots {
		g, done := p.Use(n)
		if g == nil {
			continue
		}
		group.Go(func() error {
			defer done()
			errs[n] = do(g)
			return nil
		})
	}
	_ = group.Wait() // none returns an error
	return errors.Join(errs...)
}

// Run folds the messages of each partition's consumer as Gold.Run does. If one fails, all stop.
func (p *Partitions) Run(ctx context.Context, consumer func(ctx context.Context, n int) (jetstream.Consumer, error)) error {
	group, ctx := errgroup.WithContext(ctx)
	for n := range p.slots {
		g, done := p.Use(n)
		if g == nil {
			continue
		}
		group.Go(func() error {
			defer done()
			c, err := consumer(ctx, n)
			if err != nil {
				return err
			}
			return g.Run(ctx, c)
		})
	}
	return group.Wait()
}

// Apply folds batches into the partitions that have not committed the last of them yet, each of which takes what is its own. For
// those who number batches themselves, in order.
func (p *Partitions) Apply(ctx context.Context, batches []Batch) error {
	var last uint64
	for _, b := range batches {
		last = max(last, b.Seq)
	}
	return p.each(func(g *Gold) error {
		if g.Applied() >= last {
			return nil
		}
		return g.Apply(ctx, batches)
	})
}

// Applied is up to where all of them have committed.
func (p *Partitions) Applied() (applied uint64) {
	first := true
	_ = p.visit(func(g *Gold) error {
		if a := g.Applied(); first || a < applied {
			first, applied = false, a
		}
		return nil
	})
	return applied
}

// Fresh tells whether none of them has ever committed anything.
func (p *Partitions) Fresh() bool {
	fresh := true
	_ = p.visit(func(g *Gold) error { fresh = fresh && g.Fresh(); return nil })
	return fresh
}

// Totals returns the sums. Capabilities, nodes and edges that several partitions have count in each.
func (p *Partitions) Totals() (sum Totals) {
	_ = p.visit(func(g *Gold) error { sum.Add(g.Totals()); return nil })
	return sum
}

// Flush brings the tables up to date as Gold.Flush does.
func (p *Partitions) Flush(ctx context.Context) error {
	return p.each(func(g *Gold) error { return g.Flush(ctx) })
}

// FlushAll brings the tables wholly up to date.
func (p *Partitions) FlushAll(ctx context.Context) error {
	return p.each(func(g *Gold) error { return g.FlushAll(ctx) })
}

// BetweenFlushes runs do while none of them writes derived tables.
func (p *Partitions) BetweenFlushes(do func() error) error { return p.betweenFlushes(0, do) }

func (p *Partitions) betweenFlushes(n int, do func() error) error {
	if n == len(p.slots) {
		return do()
	}
	rest := func() error { return p.betweenFlushes(n+1, do) }
	g, done := p.Use(n)
	defer done()
	if g == nil {
		return rest()
	}
	return g.BetweenFlushes(rest)
}

// RewriteEpisodes has all episodes written anew.
func (p *Partitions) RewriteEpisodes(ctx context.Context) error {
	return p.each(func(g *Gold) error { return g.RewriteEpisodes(ctx) })
}

// Compact rewrites the state stores.
func (p *Partitions) Compact(ctx context.Context) error {
	return p.each(func(g *Gold) error { return g.Compact(ctx) })
}

// Unreadable counts the entities that were set aside.
func (p *Partitions) Unreadable() (sum int, err error) {
	err = p.visit(func(g *Gold) error {
		n, err := g.Unreadable()
		sum += n
		return err
	})
	return sum, err
}

// Spellings returns the names of workflows that are one.
func (p *Partitions) Spellings(workflow string) ([]string, error) {
	g, done := p.Use(p.Of(workflow))
	defer done()
	if g == nil {
		return nil, nil
	}
	return g.Spellings(workflow)
}

// Forget forgets a workflow: its partition all of it, the others what it took back of theirs. bury is called once.
func (p *Partitions) Forget(
	ctx context.Context, workflow string, bury func(ctx context.Context, spellings []string) (*EraseScope, error),
) (out *Forgotten, err error) {
	var burial *EraseScope
	once := func(ctx context.Context, spellings []string) (_ *EraseScope, err error) {
		if burial == nil {
			burial, err = bury(ctx, spellings)
		}
		return burial, err
	}
	out = &Forgotten{}
	own, done := p.Use(p.Of(workflow))
	defer done()
	if own != nil { // first, since it has the spellings
		if out, err = own.Forget(ctx, workflow, once); err != nil {
			return nil, err
		}
	}
	return out, p.visit(func(g *Gold) error {
		if g == own {
			return nil
		}
		_, err := g.Forget(ctx, workflow, once)
		return err
	})
}
