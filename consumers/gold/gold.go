package gold

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"assay/internal/price"
	"assay/sovereign/schema"
)

// Store holds the tables.
type Store interface {
	// Append adds rows without looking for their keys.
	Append(ctx context.Context, table string, rows arrow.Record) error
	// Merge adds rows, or replaces those with the same key.
	Merge(ctx context.Context, table string, rows arrow.Record) error
	Delete(ctx context.Context, table string, where schema.Filter) error
	Query(ctx context.Context, q schema.Query) (array.RecordReader, error)
	Count(ctx context.Context, table string, where schema.Filter) (int64, error)
}

// Embedder turns texts into vectors of Dimensions numbers each. Flushing waits for it, so it must be fast; one that is not
// returns nil vectors at once, and whoever owns it fills them in later.
type Embedder interface {
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	Model() string
	Dimensions() int
}

// Options configure Gold.
type Options struct {
	Dir       string // of the state store
	Store     Store
	Embedder  Embedder
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

	// Forgotten tells whether an event of a workflow, in a frame of BRONZE, is forgotten; nil: none is.
	Forgotten func(workflow string, bronzeSeq uint64) bool

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

	// Bury stores a letter on DEAD. Run needs it for messages of SILVER that cannot be decoded.
	Bury func(ctx context.Context, letters ...*nats.Msg) error

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

// FaultPoint names a step of Gold's protocols, for tests that crash it there.
type FaultPoint string

// The steps, in order.
const (
	BeforeAppend FaultPoint = "before append" // nothing of the group is stored
	AfterAppend  FaultPoint = "after append"  // traces has the rows, the state does not know them
	AfterCommit  FaultPoint = "after commit"  // the state has the group, SILVER does not know
	BeforeIntent FaultPoint = "before intent" // rows are to be written to a table
	AfterIntent  FaultPoint = "after intent"  // the state says that the table may have them
	AfterWrite   FaultPoint = "after write"   // the table has them, their marks still stand
	AfterHeld    FaultPoint = "after held"    // the tables have rows that the state says are held
)

// Gold folds SILVER. Its methods may be called from several goroutines.
type Gold struct {
	opts  Options
	state *state
	sums  uuid.UUID // namespace of the ids of rows that sum up a partition

	failed map[uint64]int // failures of messages of SILVER, by sequence; Run's
	// Whoever takes several of the first three locks takes them in this order.
	folding   sync.Mutex         // one group at a time; it guards awaited
	awaited   map[uuid.UUID]bool // names that are known to be awaited: see lineage.go
	flushing  sync.Mutex         // one flush of what is marked at a time
	told      tellings           // of the flush under way
	sumsDue   time.Time          // when Run writes the sums again; flushing guards it
	appending sync.Mutex         // one write of what is held at a time
	enough    chan struct{}      // signals that what is held makes up a write
	// committing is held while a group is committed and while marks are taken away, so that no mark which a group has just
	// renewed is lost. It guards what follows.
	committing sync.Mutex
	progress   progress
	totals     Totals
	unsure     bool // an append may have reached traces without its commit
	held       held
	writing    *held // what is being appended of it
}

// Open opens the state store and reconciles traces with it: rows of a group that was appended but never committed are
// deleted, since the group will be delivered again. Errors wrap ErrOptions, ErrState, ErrVersion, ErrStateLost or ErrStore.
func Open(ctx context.Context, opts Options) (*Gold, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	st, err := openState(opts.Dir, opts.FS, opts.CacheBytes, stateLogger{opts.Logger})
	if err != nil {
		return nil, err
	}
	st.journal = opts.Journal
	g := &Gold{opts: opts, state: st, sums: opts.sums(), enough: make(chan struct{}, 1), failed: map[uint64]int{}}
	if err := g.resume(ctx); err != nil {
		_ = st.close() // the first error says more
		return nil, err
	}
	return g, nil
}

// Close closes the state store; Run must have returned.
func (g *Gold) Close() error {
	g.folding.Lock()
	defer g.folding.Unlock()
	g.flushing.Lock()
	defer g.flushing.Unlock()
	g.appending.Lock()
	defer g.appending.Unlock()
	g.held.release()
	return g.state.close()
}

// Applied returns the greatest sequence of SILVER that was committed.
func (g *Gold) Applied() uint64 {
	g.committing.Lock()
	defer g.committing.Unlock()
	return g.progress.applied - g.progress.base
}

// Fresh tells whether nothing was ever committed to the state, not even what is forgotten again.
func (g *Gold) Fresh() bool {
	g.committing.Lock()
	defer g.committing.Unlock()
	return g.progress.generation == 0
}

// Totals returns the counts as of the last commit.
func (g *Gold) Totals() Totals {
	g.committing.Lock()
	defer g.committing.Unlock()
	return g.totals
}

// resume reads how far the state has come and reconciles.
func (g *Gold) resume(ctx context.Context) error {
	p, err := load(g.state.db, []byte{keyProgress}, decodeProgress)
	if err != nil {
		return err
	}
	if p == nil {
		return g.begin(ctx)
	}
	if p.version != stateVersion {
		return fmt.Errorf("%w: it has version %d, this program %d", ErrVersion, p.version, stateVersion)
	}
	totals, err := load(g.state.db, []byte{keyTotals}, decodeTotals)
	if err != nil {
		return err
	}
	g.progress = *p
	if totals != nil {
		g.totals = *totals
	}
	if err := g.reconcile(ctx); err != nil {
		return err
	}
	if err := errors.Join(g.recallHeld(), g.noteSaid(), g.spread()); err != nil {
		return err
	}
	return g.enterEpoch()
}

// begin starts a new state, unless the tables show that there was one.
func (g *Gold) begin(ctx context.Context) error {
	rows, err := g.opts.Store.Count(ctx, schema.Traces, g.opts.rows())
	if err != nil {
		return storeError("count", schema.Traces, err)
	}
	if rows > 0 {
		return fmt.Errorf("%w: traces has %d rows", ErrStateLost, rows)
	}
	g.progress = progress{version: stateVersion, epoch: g.opts.Epoch}
	return g.saveProgress()
}

// reconcile deletes the rows of traces that were appended and not committed. Where the store may be late, and after an append of
// this process that has failed, it does so without looking for them: the append may come about until the table is written again.
func (g *Gold) reconcile(ctx context.Context) error {
	uncommitted := schema.And(g.opts.rows(), schema.Gt("silver_seq", int64(g.progress.applied)))
	if !g.opts.Late && !g.unsure {
		rows, err := g.opts.Store.Count(ctx, schema.Traces, uncommitted)
		if err != nil {
			return storeError("count", schema.Traces, err)
		}
		if rows == 0 {
			return nil
		}
		g.opts.Logger.Info("gold: deleting rows that were appended but not committed", "rows", rows)
	}
	return storeError("delete from", schema.Traces, g.opts.Store.Delete(ctx, schema.Traces, uncommitted))
}

// enterEpoch notices that SILVER was created anew and counts from one again.
func (g *Gold) enterEpoch() error {
	if g.progress.epoch == g.opts.Epoch {
		return nil
	}
	g.opts.Logger.Info("gold: SILVER was created anew", "applied", g.progress.applied)
	g.progress.epoch, g.progress.base = g.opts.Epoch, g.progress.applied
	return g.saveProgress()
}

func (g *Gold) saveProgress() error {
	writes := g.state.db.NewBatch()
	defer writes.Close()
	if err := writes.Set([]byte{keyProgress}, g.progress.encode(), nil); err != nil {
		return stateError("write", err)
	}
	return g.state.commit(writes, pebble.Sync)
}

// fault is where a test may stop Gold.
func (g *Gold) fault(at FaultPoint) error {
	if g.opts.Fault == nil {
		return nil
	}
	return g.opts.Fault(at)
}

func storeError(doing, table string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s %s: %w", ErrStore, doing, table, err)
}
