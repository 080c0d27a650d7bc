package rebuild

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"assay/consumers/gold"
	"assay/consumers/silver"
	"assay/internal/ops/deadletter"
	"assay/internal/query/replay"
	"assay/sovereign/schema"
	"assay/streams"
)

// Directories that are swapped, inside the data directory.
const (
	StateDir = "state"     // Gold's state store
	StoreDir = "sovereign" // the LanceDB database
)

// DerivationFile is a file in StateDir that says how the tables were derived from the log.
const DerivationFile = "derivation"

// epoch numbers the groups of a Build, by the sequence of their last frame. Messages of SILVER, whose epoch is another, are
// numbered after them.
const epoch = "rebuild"

// Store is a database with the tables.
type Store interface {
	schema.Store
	EnsureIndexes(ctx context.Context) error
	Close() error
}

// Options configure a Build.
type Options struct {
	Data   string // the data directory
	Log    *streams.Log
	Silver *silver.Options // as the Silver consumer has them
	Gold   gold.Options    // as Gold has them; Dir, Store and Epoch are replaced
	// Old are the tables as they are, from which promotions are taken over, nil if they cannot be opened; OpenStore opens the new
	// ones in a directory.
	Old       schema.Store
	OpenStore func(ctx context.Context, dir string) (Store, error)
	// Stamp tells one program with its settings from another: only the same one may go on with what an earlier one began.
	Stamp string
	// Derivation is written to DerivationFile.
	Derivation []byte
	// Trial leaves promotions alone: none is asked for again, none is taken over. Old is not needed.
	Trial bool
	// AllowDataLoss allows the tables to lose rows of frames that the log no longer has.
	AllowDataLoss bool
	// Progress, if not nil, is told after each part how many frames of how many are done.
	Progress func(done, total uint64)
}

// Result tells what was built.
type Result struct {
	Frames  uint64 `json:"frames"`
	Resumed uint64 `json:"resumed,omitempty"` // frames of them that an earlier, interrupted Build had folded
	// Asked are promotions that had no row and were asked for again, under the same idempotency keys; Unreadable is why there
	// may be some of which the registry knows already.
	Asked      uint64 `json:"promotions_asked_again,omitempty"`
	Unreadable string `json:"promotions_unreadable,omitempty"`
	// Corrected are rows of promotions that said something else of their event than the log does, or told of none.
	Corrected      uint64 `json:"promotions_corrected,omitempty"`
	LettersWritten uint64 `json:"dead_letters_written,omitempty"` // that were missing on DEAD, or others
	LettersErased  uint64 `json:"dead_letters_erased,omitempty"`  // that no frame yields
	Totals         Totals `json:"totals"`
}

// Totals are gold.Totals for scripts.
type Totals struct {
	Events       uint64 `json:"events"`
	Traces       uint64 `json:"traces"`
	Shed         uint64 `json:"shed"`
	Dead         uint64 `json:"dead"`
	Entities     uint64 `json:"entities"`
	Capabilities uint64 `json:"capabilities"`
	Nodes        uint64 `json:"nodes"`
	Edges        uint64 `json:"edges"`
}

// Build makes new tables and a new state of all frames that the log has, and leaves them ready for Swap. Promotions of
// which the old table has no row, or none that can be read, are published to PROMOTION again, so that they are handled. Nobody may consume the log or write
// tables meanwhile. Errors wrap ErrAged, ErrFiles, ErrLog, ErrStore,
// letters.ErrLedger, gold's sentinels, or are those of streams.Scan.
func Build(ctx context.Context, opts Options) (result *Result, err error) {
	if err := prepare(opts.Data, opts.Stamp); err != nil {
		return nil, err
	}
	b := &build{Options: opts}
	if err := b.survey(ctx); err != nil {
		return nil, err
	}
	result, err = b.run(ctx)
	if err = errors.Join(err, b.close()); err != nil {
		return nil, err
	}
	if err := WriteDurably(filepath.Join(opts.Data, workDir, newDir, StateDir, DerivationFile), opts.Derivation); err != nil {
		return nil, err
	}
	return result, complete(opts.Data)
}

// build is a Build under way.
type build struct {
	Options
	span    replay.Range // of the log
	whole   bool         // the log has all that it ever had, but for what was erased on purpose
	store   Store
	letters *deadletter.Ledger
	gold    *gold.Partitions
	result  Result
}

// survey finds out what the log has, and whether that is all.
func (b *build) survey(ctx context.Context) error {
	info, err := b.Log.Bronze().Info(ctx)
	if err != nil {
		return fmt.Errorf("rebuild: read stream %s: %w", streams.StreamBronze, err)
	}
	b.span = replay.Range{From: max(1, info.State.FirstSeq), To: info.State.LastSeq}
	if b.whole, err = b.Log.Whole(ctx); err != nil {
		return err
	}
	if b.AllowDataLoss || b.Trial {
		return nil
	}
	gone, err := b.rowsOutside(ctx)
	if err != nil {
		return err
	}
	missing, err := b.Log.Missing(ctx)
	if err != nil {
		return err
	}
	if gone > 0 || len(missing) > 0 {
		return fmt.Errorf("%w: %d rows come from outside its sequences %d to %d, and these frames are missing: %v; put DIR/log of a"+
			" mirror or a backup in place, or go on without them: `assay rebuild --allow-data-loss`", ErrAged, gone, b.span.From, b.span.To, missing)
	}
	return nil
}

// rowsOutside counts rows of traces whose frames the log does not have. A table that cannot be read has none if nothing has
// ever left the log.
func (b *build) rowsOutside(ctx context.Context) (rows int64, err error) {
	err = errUnopened
	if b.Old != nil {
		rows, err = b.Old.Count(ctx, schema.Traces, schema.Or(
			schema.Lt(silver.ColBronzeSeq, int64(b.span.From)), schema.Gt(silver.ColBronzeSeq, int64(b.span.To))))
	}
	switch {
	case err == nil:
		return rows, nil
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case b.span.From > 1:
		return 0, fmt.Errorf("%w: frames before %d have left it, and which rows come from them cannot be read;"+
			" `assay rebuild --allow-data-loss` goes on without them: %w", ErrAged, b.span.From, err)
	}
	return 0, nil
}

func (b *build) run(ctx context.Context) (*Result, error) {
	var err error
	store, err := b.OpenStore(ctx, filepath.Join(b.Data, workDir, newDir, StoreDir))
	if err != nil {
		return nil, err
	}
	b.store = store
	if err = b.openLetters(); err != nil {
		return nil, err
	}
	options := b.Gold
	options.Dir, options.Store, options.Epoch = filepath.Join(b.Data, workDir, newDir, StateDir), b.store, epoch
	if b.gold, err = gold.OpenPartitions(ctx, options); err != nil {
		return nil, err
	}
	if done := b.gold.Applied(); done >= b.span.From {
		b.result.Resumed = done - b.span.From + 1
	}
	for _, step := range []func(context.Context) error{
		b.carryPromotions, b.lookBefore, b.fold, b.gold.FlushAll, b.store.EnsureIndexes, b.correctPromotions, b.mendLetters,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	b.result.Frames, b.result.Totals = b.total(), Totals(b.gold.Totals())
	return &b.result, nil
}

func (b *build) total() uint64 { return b.span.To + 1 - b.span.From }

// lookBefore looks at frames that an earlier attempt folded. What it knew of their promotions may be lost since, and of their letters
// it has kept nothing.
func (b *build) lookBefore(ctx context.Context) error {
	if b.Trial || b.result.Resumed == 0 {
		return nil
	}
	done := replay.Range{From: b.span.From, To: b.gold.Applied()}
	for rows, err := range replay.Refine(ctx, b.Log.Bronze(), b.Silver, done, nil) {
		if err == nil {
			err = b.look(ctx, rows)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// look asks for promotions that have no row, and notes the letters that there must be.
func (b *build) look(ctx context.Context, rows *replay.Rows) error {
	if b.Trial {
		return nil
	}
	if err := b.letters.Expect(rows.Letters); err != nil {
		return err
	}
	return b.askAgain(ctx, rows)
}

// fold folds the frames that are not folded yet.
func (b *build) fold(ctx context.Context) error {
	rest := replay.Range{From: max(b.span.From, b.gold.Applied()+1), To: b.span.To}
	for rows, err := range replay.Refine(ctx, b.Log.Bronze(), b.Silver, rest, nil) {
		if err != nil {
			return err
		}
		if err := b.look(ctx, rows); err != nil {
			return err
		}
		if err := b.gold.Apply(ctx, []gold.Batch{{Seq: rows.To, Record: rows.Record}}); err != nil {
			return err
		}
		if b.Progress != nil {
			b.Progress(rows.To+1-b.span.From, b.total())
		}
	}
	return nil
}

func (b *build) close() error {
	var errs []error
	if b.gold != nil {
		errs = append(errs, b.gold.Close())
	}
	if b.letters != nil {
		errs = append(errs, b.letters.Close())
	}
	if b.store != nil {
		errs = append(errs, b.store.Close())
	}
	return errors.Join(errs...)
}
