package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"golang.org/x/sync/errgroup"

	"assay/consumers/gold"
	"assay/internal/fleet"
	"assay/internal/query"
	"assay/sovereign/schema"
	"assay/streams"
)

// What a worker knows of the others, and has them do.

// contact is an error while this worker is out of touch with the log: what it would tell may be old, or forgotten.
func (p *Pipeline) contact() error {
	if p.fleet == nil || p.fleet.Fresh() {
		return nil
	}
	return fmt.Errorf("%w: this worker is out of touch with the log, and what it knows may be old: ask again, or another one", query.ErrUnanswered)
}

// woken brings up to date what others may have changed while this worker was out of touch.
func (p *Pipeline) woken(ctx context.Context) error {
	all, err := p.log.Tombstones(ctx)
	if err != nil {
		return err
	}
	for _, t := range all {
		p.log.Forgotten().Add(t)
	}
	p.store.ClearCache() // it may hold what was forgotten meanwhile
	return p.store.Refresh(ctx)
}

// tables are the store as questions read it.
type tables struct {
	schema.Reader
	answering func() error
}

// Query implements schema.Reader.
func (t tables) Query(ctx context.Context, q schema.Query) (array.RecordReader, error) {
	if err := t.answering(); err != nil {
		return nil, err
	}
	return t.Reader.Query(ctx, q)
}

// Count implements schema.Reader.
func (t tables) Count(ctx context.Context, table string, where schema.Filter) (int64, error) {
	if err := t.answering(); err != nil {
		return 0, err
	}
	return t.Reader.Count(ctx, table, where)
}

// ownerOf tells who owns a partition; its name is "" for nobody.
func (p *Pipeline) ownerOf(ctx context.Context, n int) (fleet.Owner, error) {
	if p.fleet == nil {
		return fleet.ReadOwner(ctx, p.log.Owners(), n)
	}
	return p.fleet.OwnerOf(n), nil
}

// allPartitions has the owner of each partition do something that takes long, and passes their replies to use.
func (p *Pipeline) allPartitions(ctx context.Context, q question, use func(n int, r *reply)) error {
	group, asking := errgroup.WithContext(ctx)
	replies := make([]*reply, p.gold.Count())
	unowned, err := p.unowned(ctx)
	if err != nil {
		return err
	}
	for n := range replies {
		if unowned[n] {
			continue
		}
		group.Go(func() (err error) {
			replies[n], err = there{p, n}.ask(asking, flushWithin, q)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for n, r := range replies {
		if r != nil {
			use(n, r)
		}
	}
	return nil
}

// unowned tells, to who comes to read, which partitions nobody owns: their tables were written wholly when they were given back.
func (p *Pipeline) unowned(ctx context.Context) (map[int]bool, error) {
	if p.fleet != nil {
		return nil, nil
	}
	s, err := fleet.Read(ctx, p.log.Members(), p.log.Owners(), p.log.Partitions())
	unowned := map[int]bool{}
	for _, part := range s.Partitions {
		unowned[part.Partition] = part.Owner == ""
	}
	return unowned, err
}

// flushAll has the tables written wholly, by whoever owns their partitions, and returns what is counted in all of them.
func (p *Pipeline) flushAll(ctx context.Context) (totals gold.Totals, err error) {
	if !p.joins() {
		err := p.gold.FlushAll(ctx)
		return p.gold.Totals(), err
	}
	if err := p.allPartitions(ctx, question{Ask: askFlush}, func(int, *reply) {}); err != nil {
		return totals, err
	}
	err = p.allPartitions(ctx, question{Ask: askTotals}, func(_ int, r *reply) { totals.Add(r.Totals) })
	return totals, err
}

// FleetStatus tells who works on the log, and how far each partition is behind.
func (p *Pipeline) FleetStatus(ctx context.Context) (*fleet.Status, error) {
	if !p.joins() {
		return nil, fmt.Errorf("%w: this is no fleet", query.ErrNotFound)
	}
	var s fleet.Status
	var err error
	if p.fleet != nil {
		s = p.fleet.Status()
	} else if s, err = fleet.Read(ctx, p.log.Members(), p.log.Owners(), p.log.Partitions()); err != nil {
		return nil, err
	}
	lags, err := p.log.GoldLags(ctx)
	if err != nil {
		return nil, err
	}
	for n, lag := range lags {
		s.Partitions[n].Lag = lag
	}
	return &s, nil
}

// FleetStats count what this worker has done in the fleet, and how often it was refused a write. There is none without a fleet.
func (p *Pipeline) FleetStats() (stats fleet.Stats, refused uint64, ok bool) {
	if p.fleet == nil {
		return stats, 0, false
	}
	return p.fleet.Stats(), p.refused.Load(), true
}

// fencedStore tells of writes that are refused because another worker has taken over.
type fencedStore struct {
	schema.Store
	refused func()
}

func (s *fencedStore) look(err error) error {
	if errors.Is(err, schema.ErrFenced) {
		s.refused()
	}
	return err
}

// Append implements schema.Store.
func (s *fencedStore) Append(ctx context.Context, table string, rows arrow.Record) error {
	return s.look(s.Store.Append(ctx, table, rows))
}

// Merge implements schema.Store.
func (s *fencedStore) Merge(ctx context.Context, table string, rows arrow.Record) error {
	return s.look(s.Store.Merge(ctx, table, rows))
}

// Delete implements schema.Store.
func (s *fencedStore) Delete(ctx context.Context, table string, where schema.Filter) error {
	return s.look(s.Store.Delete(ctx, table, where))
}

// fencedJournal tells of commits that are refused because another worker has taken over.
type fencedJournal struct {
	*streams.Journal
	refused func()
}

// Append implements gold.Journal.
func (j *fencedJournal) Append(commit []byte) (uint64, error) {
	seq, err := j.Journal.Append(commit)
	if errors.Is(err, streams.ErrFenced) {
		j.refused()
	}
	return seq, err
}
