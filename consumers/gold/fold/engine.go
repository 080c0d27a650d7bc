package fold

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/project"
	"assay/consumers/gold/state"
	"assay/internal/price"
	"assay/sovereign/schema"
	"assay/streams"
)

// Sentinels of this package; test them with errors.Is.
var (
	// ErrVersion means that the state store was written by another version of this program: rebuild it.
	ErrVersion = errors.New("gold: state store of another version")
	// ErrStateLost means that tables hold rows which the state store knows nothing of: rebuild it.
	ErrStateLost = errors.New("gold: state store lost")
)

// Options configure an Engine.
type Options struct {
	Store     schema.Store
	Logger    *slog.Logger
	Partition model.Partition
	Epoch     string // tells one SILVER stream from another of the same name: when it was created
	Late      bool   // the store may do what it was told after it failed to answer
	Prices    *price.Table
	HoldBytes int // about how much text of rows is held for one write
	Now       func() time.Time
	Fault     state.Faults

	// Forgotten events are not folded; nil: none is.
	Forgotten streams.Tombstones
}

// Engine folds groups of batches into the state.
type Engine struct {
	DB     *state.DB
	opts   Options
	tables *project.Tables
	sums   uuid.UUID // namespace of the ids of rows that sum up a partition

	sync.Mutex // one group at a time; it guards what follows

	Awaited map[uuid.UUID]bool // names that are known to be awaited: see lineage.go
	unsure  bool               // an append may have reached traces without its commit
}

// New returns the engine of a state and its tables.
func New(db *state.DB, tables *project.Tables, opts Options) *Engine {
	return &Engine{opts: opts, DB: db, tables: tables, sums: opts.Partition.SumsNamespace()}
}

// Resume reads how far the state has come and reconciles.
func (e *Engine) Resume(ctx context.Context) error {
	p, err := state.Load(e.DB, []byte{model.KeyProgress}, model.DecodeProgress)
	if err != nil {
		return err
	}
	if p == nil {
		return e.begin(ctx)
	}
	if p.Version != model.StateVersion {
		return fmt.Errorf("%w: it has version %d, this program %d", ErrVersion, p.Version, model.StateVersion)
	}
	totals, err := state.Load(e.DB, []byte{model.KeyTotals}, model.DecodeTotals)
	if err != nil {
		return err
	}
	e.DB.Progress = *p
	if totals != nil {
		e.DB.Totals = *totals
	}
	if err := e.reconcile(ctx); err != nil {
		return err
	}
	if err := errors.Join(e.tables.RecallHeld(), e.NoteSaid(), e.Spread()); err != nil {
		return err
	}
	return e.enterEpoch()
}

// begin starts a new state, unless the tables show that there was one.
func (e *Engine) begin(ctx context.Context) error {
	rows, err := e.opts.Store.Count(ctx, schema.Traces, e.opts.Partition.Rows())
	if err != nil {
		return project.StoreError("count", schema.Traces, err)
	}
	if rows > 0 {
		return fmt.Errorf("%w: traces has %d rows", ErrStateLost, rows)
	}
	e.DB.Progress = model.Progress{Version: model.StateVersion, Epoch: e.opts.Epoch}
	return e.saveProgress()
}

// reconcile deletes the rows of traces that were appended and not committed. Where the store may be late, and after an append of
// this process that has failed, it does so without looking for them: the append may come about until the table is written again.
func (e *Engine) reconcile(ctx context.Context) error {
	uncommitted := schema.And(e.opts.Partition.Rows(), schema.Gt("silver_seq", int64(e.DB.Progress.Applied)))
	if !e.opts.Late && !e.unsure {
		rows, err := e.opts.Store.Count(ctx, schema.Traces, uncommitted)
		if err != nil {
			return project.StoreError("count", schema.Traces, err)
		}
		if rows == 0 {
			return nil
		}
		e.opts.Logger.Info("gold: deleting rows that were appended but not committed", "rows", rows)
	}
	return project.StoreError("delete from", schema.Traces, e.opts.Store.Delete(ctx, schema.Traces, uncommitted))
}

// enterEpoch notices that SILVER was created anew and counts from one again.
func (e *Engine) enterEpoch() error {
	if e.DB.Progress.Epoch == e.opts.Epoch {
		return nil
	}
	e.opts.Logger.Info("gold: SILVER was created anew", "applied", e.DB.Progress.Applied)
	e.DB.Progress.Epoch, e.DB.Progress.Base = e.opts.Epoch, e.DB.Progress.Applied
	return e.saveProgress()
}

func (e *Engine) saveProgress() error {
	writes := e.DB.NewBatch()
	defer writes.Close()
	if err := writes.Set([]byte{model.KeyProgress}, e.DB.Progress.Encode(), nil); err != nil {
		return state.Wrap("write", err)
	}
	return e.DB.Commit(writes, pebble.Sync)
}
