package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"assay/consumers/gold"
	"assay/internal/config"
	"assay/internal/fleet"
	"assay/streams"
)

// A worker of a fleet owns some of the log's partitions, each under an epoch, and follows the state of others.

const (
	// rebaseBytes is how much the journal of a partition grows at least until its state is written into it as a whole, and rebaseLeast
	// where the journals of all partitions crowd their stream.
	rebaseBytes = 256 << 20
	rebaseLeast = 4 << 20
	// rebaseLook is how often that is looked at.
	rebaseLook = 10 * time.Second
)

// joins tells whether the log is a fleet's.
func (p *Pipeline) joins() bool { return p.log != nil && p.log.Fleet() }

// openFleet prepares this worker's part in the fleet.
func (p *Pipeline) openFleet(context.Context) error {
	if !p.joins() || p.opts.Reading {
		return nil
	}
	name, err := p.workerName()
	if err != nil {
		return err
	}
	options := fleet.DefaultOptions()
	options.Members, options.Owners, options.Partitions, options.Logger = p.log.Members(), p.log.Owners(), p.log.Partitions(), p.opts.Logger
	options.Self = fleet.Member{
		Name: name, URL: p.opts.Config.HTTP.Listen, Version: p.opts.Version, Folds: p.opts.Config.Fleet.Has(config.RoleFold),
	}
	options.Own, options.Follow, options.Woken = p.own, p.follow, p.woken
	p.fleet = fleet.New(options)
	return nil
}

// workerName is the one that was given, else the host's with what tells the data directories on it apart.
func (p *Pipeline) workerName() (string, error) {
	if name := p.opts.Config.Fleet.Name; name != "" {
		return name, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name this worker: %w; or give it one by --name", err)
	}
	instance, err := p.instance()
	if err != nil {
		return "", err
	}
	return host + "-" + instance[:8], nil
}

// statesDir is where a worker has its copies of states of this fleet.
func (p *Pipeline) statesDir() string {
	return filepath.Join(p.opts.Config.Data, stateDir, "fleet-"+strconv.FormatInt(p.log.JournalBegan().UnixNano(), 36))
}

// own owns a partition under an epoch until ctx ends, or until a write is refused because another worker has taken it over.
func (p *Pipeline) own(ctx context.Context, n int, epoch uint64, current func()) (err error) {
	ctx, lose := context.WithCancel(ctx)
	defer lose()
	journal, err := p.takeState(ctx, n, epoch)
	if err != nil {
		return err
	}
	fenced, err := p.opts.Stores.Fence(ctx, p.store, n, epoch)
	if err != nil {
		return err
	}
	refused := func() {
		p.refused.Add(1)
		lose()
	}
	store := &fencedStore{fenced, refused}
	g, err := p.gold.Open(ctx, n, func(o *gold.Options) { o.Journal, o.Store = &fencedJournal{journal, refused}, store })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.gold.Release(n)) }()
	consumer, err := p.log.TakeOver(ctx, n, epoch)
	if err != nil {
		return err
	}
	answering, stopAnswering := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAnswering()
	stop, err := p.answer(answering, askSubject(n, epoch), func(ctx context.Context, q *question, r *reply) error { return p.reply(ctx, n, q, r) })
	if err != nil {
		return err
	}
	current()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return g.Run(running, consumer) })
	group.Go(func() error { return p.rebaseRegularly(running, n, g, journal) })
	if n == Leading {
		group.Go(func() error { return p.lead(running, fenced, store) })
	}
	err = group.Wait()
	stopAnswering()
	return errors.Join(err, stop())
}

// takeState makes this worker's copy of a state even with the journal, and begins the epoch in that: whoever owned the partition
// commits nothing more.
func (p *Pipeline) takeState(ctx context.Context, n int, epoch uint64) (*streams.Journal, error) {
	c, seq, err := p.openCopy(ctx, n)
	if err != nil {
		return nil, err
	}
	journal, err := p.catchUpState(ctx, c, seq, n, epoch)
	return journal, errors.Join(err, c.Close())
}

func (p *Pipeline) catchUpState(ctx context.Context, c *gold.Copy, seq uint64, n int, epoch uint64) (*streams.Journal, error) {
	for {
		end, last, err := p.log.JournalEnd(ctx, n)
		if err != nil {
			return nil, err
		}
		if last >= epoch {
			return nil, fmt.Errorf("%w: partition %d is in epoch %d already, not before %d", streams.ErrFenced, n, last, epoch)
		}
		err = p.log.ReadJournal(ctx, n, seq, end, false, func(commit []byte, at uint64) error {
			seq = at
			return c.Apply(commit, at)
		})
		if err != nil {
			return nil, err
		}
		journal, err := p.log.BeginEpoch(ctx, n, epoch, end)
		if !errors.Is(err, streams.ErrFenced) { // else its owner has just committed something
			return journal, err
		}
	}
}

// openCopy opens this worker's copy of a state. One that cannot be used is thrown away: the journal has all of it.
func (p *Pipeline) openCopy(ctx context.Context, n int) (c *gold.Copy, seq uint64, err error) {
	options := p.gold.Options(n)
	if c, seq, err = openCopy(options); err != nil && ctx.Err() == nil {
		p.opts.Logger.Warn("a copy of a state cannot be used and is made anew", "partition", n, "error", err)
		if err = os.RemoveAll(options.Dir); err == nil {
			c, seq, err = openCopy(options)
		}
	}
	return c, seq, err
}

func openCopy(options gold.Options) (*gold.Copy, uint64, error) {
	c, err := gold.OpenCopy(options)
	if err != nil {
		return nil, 0, err
	}
	seq, err := c.Seq()
	if err != nil {
		return nil, 0, errors.Join(err, c.Close())
	}
	return c, seq, nil
}

// follow keeps a copy of a partition's state until ctx ends.
func (p *Pipeline) follow(ctx context.Context, n int, current func()) error {
	end, _, err := p.log.JournalEnd(ctx, n)
	if err != nil {
		return err
	}
	c, seq, err := p.openCopy(ctx, n)
	if err != nil {
		return err
	}
	if seq >= end {
		current()
	}
	err = p.log.ReadJournal(ctx, n, seq, 0, true, func(commit []byte, at uint64) error {
		err := c.Apply(commit, at)
		if err == nil && at >= end {
			current()
		}
		return err
	})
	if ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, c.Close())
}

// rebaseRegularly writes the whole state into the journal when that has grown much.
func (p *Pipeline) rebaseRegularly(ctx context.Context, n int, g *gold.Gold, journal *streams.Journal) error {
	tick := time.NewTicker(rebaseLook)
	defer tick.Stop()
	for due := (rebaseDue{usually: rebaseBytes}); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		before := journal.Bytes()
		if !due.at(before, func() bool {
			crowded, err := p.log.JournalCrowded(ctx)
			return crowded && err == nil // else it is looked again
		}) {
			continue
		}
		if err := p.rebase(ctx, n, g); err != nil {
			return err
		}
		due = rebaseAfter(before, journal.Bytes())
	}
}

// rebaseDue is at how many bytes of an epoch's records a state is written into the journal as a whole.
type rebaseDue struct{ usually, crowded uint64 }

// rebaseAfter is when it is due again after it was written from so many bytes to so many.
func rebaseAfter(from, to uint64) rebaseDue {
	state := to - from
	return rebaseDue{to + max(rebaseBytes, 4*state), to + max(rebaseLeast, state)}
}

// at tells whether it is due. What earlier epochs have left counts for the crowd only, so the first time it may be due at once.
func (d rebaseDue) at(bytes uint64, crowded func() bool) bool {
	return bytes >= d.usually || bytes >= d.crowded && crowded()
}

// rebase writes the whole state of a partition into the journal, and drops what came before.
func (p *Pipeline) rebase(ctx context.Context, n int, g *gold.Gold) error {
	before, err := g.Rebase()
	if err != nil {
		return err
	}
	return p.log.PurgeJournal(ctx, n, before)
}
