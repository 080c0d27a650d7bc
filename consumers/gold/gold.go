package gold

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"assay/consumers/gold/erase"
	"assay/consumers/gold/fold"
	"assay/consumers/gold/model"
	"assay/consumers/gold/project"
	"assay/consumers/gold/state"
	"assay/internal/price"
	"assay/sovereign/schema"
	"assay/streams"
)

// Options configure Gold.
type Options struct {
	Dir       string // of the state store
	Store     schema.Store
	Embedder  schema.Embedder // flushing waits for it, so it must be fast
	Logger    *slog.Logger
	Namespace uuid.UUID // of the ids of derived rows
	Epoch     string    // tells one SILVER stream from another of the same name: when it was created

	// Of all Partitions of the log it folds Partition: the events of its workflows, and what others take back. One or none:
	// there is one, with everything.
	Partition, Partitions int

	// Late tells that the store may do what it was told after it failed to answer, as one behind a network may.
	Late bool

	// Journal, if not nil, has each commit before the state does, for whoever takes the partition over.
	Journal Journal

	// Forgotten events are not folded; nil: none is.
	Forgotten streams.Tombstones

	MaxFetch      int           // messages folded in one commit
	FetchBytes    int           // about how many bytes Run asks for, and so folds, at a time
	MaxFetchBytes int           // messages are folded when there are so many bytes
	MaxFailures   int           // a message goes to DEAD when folding it has failed so often, with pauses of up to 10 s
	MaxAge        time.Duration // a group is folded when it is full, or its first message has waited so long
	CacheBytes    int64         // of the state store's memory, its memtables included
	HoldBytes     int           // about how much text of rows is held for one write; twice that is the most
	FlushEvery    time.Duration // how often Run brings the tables up to date
	QuietAfter    time.Duration // an entity that has not ended is written once it has not changed for so long
	StopWithin    time.Duration // what the last flush may take when Run is told to stop

	// DeadLetters stores letters on DEAD. Run needs it for messages of SILVER that cannot be decoded.
	DeadLetters streams.MsgPublisher

	Prices *price.Table // of what events tell no cost of; nil: none

	FS    vfs.FS                    // where Dir lies; nil: the disk
	Now   func() time.Time          // nil: time.Now
	Fault func(at FaultPoint) error // for tests: an error stops Gold there as a crash would; called by several goroutines
}

// DefaultOptions returns the limits that serve both a laptop and a busy node; the caller adds Dir, Store, Embedder and
// Logger.
func DefaultOptions() Options {
	return Options{
		Namespace: uuid.MustParse("91e8f5f8-3e28-592a-ab23-5295dcf92dd7"),
		MaxFetch:  64, FetchBytes: 8 << 20, MaxFetchBytes: 32 << 20, MaxAge: 50 * time.Millisecond, CacheBytes: 64 << 20, HoldBytes: 8 << 20,
		MaxFailures: 10, FlushEvery: time.Second, QuietAfter: 10 * time.Second, StopWithin: 30 * time.Second,
		FS: vfs.Default, Now: time.Now,
	}
}

func (o *Options) validate() error {
	switch {
	case o.Dir == "", o.Store == nil, o.Embedder == nil, o.Logger == nil:
		return fmt.Errorf("%w: Dir, Store, Embedder and Logger are needed", ErrOptions)
	case o.Partition < 0 || o.Partition > 0 && o.Partition >= o.Partitions:
		return fmt.Errorf("%w: there is no partition %d of %d", ErrOptions, o.Partition, o.Partitions)
	case o.Embedder.Dimensions() < 1:
		return fmt.Errorf("%w: the embedder's vectors have no dimension", ErrOptions)
	case o.MaxFetch < 1, o.FetchBytes < 1, o.MaxFetchBytes < 1, o.CacheBytes < 1, o.HoldBytes < 1, o.MaxFailures < 1,
		o.MaxAge <= 0, o.FlushEvery <= 0, o.QuietAfter <= 0, o.StopWithin <= 0:
		return fmt.Errorf("%w: every limit must be positive", ErrOptions)
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

// Gold folds SILVER. Its methods may be called from several goroutines.
type Gold struct {
	opts   Options
	db     *state.DB
	tables *project.Tables
	engine *fold.Engine

	failed map[uint64]int // failures of messages of SILVER, by sequence; Run's
}

// newGold puts together what folds into a state and writes its tables.
func newGold(db *state.DB, opts Options) *Gold {
	part := model.Partition{Number: opts.Partition, Count: opts.Partitions, Namespace: opts.Namespace}
	tables := project.New(db, project.Options{
		Store: opts.Store, Embedder: opts.Embedder, Logger: opts.Logger, Namespace: opts.Namespace, Partition: part,
		HoldBytes: opts.HoldBytes, FlushEvery: opts.FlushEvery, QuietAfter: opts.QuietAfter, Now: opts.Now, Fault: opts.Fault,
	})
	engine := fold.New(db, tables, fold.Options{
		Store: opts.Store, Logger: opts.Logger, Partition: part, Epoch: opts.Epoch, Late: opts.Late, Prices: opts.Prices,
		HoldBytes: opts.HoldBytes, Now: opts.Now, Fault: opts.Fault, Forgotten: opts.Forgotten,
	})
	return &Gold{opts: opts, db: db, tables: tables, engine: engine, failed: map[uint64]int{}}
}

// Open opens the state store and reconciles traces with it: rows of a group that was appended but never committed are
// deleted, since the group will be delivered again. Errors wrap ErrOptions, ErrState, ErrVersion, ErrStateLost or ErrStore.
func Open(ctx context.Context, opts Options) (*Gold, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	db, err := state.Open(opts.Dir, opts.FS, opts.CacheBytes, opts.Journal, opts.Logger)
	if err != nil {
		return nil, err
	}
	g := newGold(db, opts)
	if err := g.engine.Resume(ctx); err != nil {
		_ = db.Close() // the first error says more
		return nil, err
	}
	return g, nil
}

// Close closes the state store; Run must have returned.
func (g *Gold) Close() error {
	g.engine.Lock()
	defer g.engine.Unlock()
	return g.tables.BetweenFlushes(func() error {
		g.tables.Release()
		return g.db.Close()
	})
}

// Applied returns the greatest sequence of SILVER that was committed.
func (g *Gold) Applied() uint64 {
	g.db.Lock()
	defer g.db.Unlock()
	return g.db.Progress.Applied - g.db.Progress.Base
}

// Fresh tells whether nothing was ever committed to the state, not even what is forgotten again.
func (g *Gold) Fresh() bool {
	g.db.Lock()
	defer g.db.Unlock()
	return g.db.Progress.Generation == 0
}

// Totals returns the counts as of the last commit.
func (g *Gold) Totals() Totals {
	g.db.Lock()
	defer g.db.Unlock()
	return g.db.Totals
}

// OpenCopy opens the state in the directory of the options, or begins an empty one. Errors wrap ErrState.
func OpenCopy(opts Options) (*Copy, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if err := opts.FS.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	st, err := state.Open(opts.Dir, opts.FS, opts.CacheBytes, nil, opts.Logger)
	if err != nil {
		return nil, err
	}
	return &Copy{State: st}, nil
}

// Rebase writes the whole state into the journal, and returns the sequence up to which nothing is needed any more. Other commits come
// in between, and one that stops halfway has changed nothing.
func (g *Gold) Rebase() (before uint64, err error) { return g.db.Rebase() }

// Forget forgets a workflow. bury is called once nothing is folded or flushed any more, with the workflow's spellings; from
// then on Options.Forgotten must tell that its events up to EraseScope.Through are forgotten. Whatever stops Forget, calling it
// again with the same scope ends it. The tables show it after the next flush.
func (g *Gold) Forget(
	ctx context.Context, workflow string, bury func(ctx context.Context, spellings []string) (*EraseScope, error),
) (*Forgotten, error) {
	return erase.Forget(ctx, g.engine, g.tables, workflow, bury)
}

// Compact rewrites the state store, so that nothing that was deleted is left in its files. Folding goes on meanwhile.
func (g *Gold) Compact(ctx context.Context) error { return g.db.Compact(ctx) }
