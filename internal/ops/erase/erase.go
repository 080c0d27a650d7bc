package erase

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/gold"
	"assay/consumers/silver"
	"assay/internal/failpoint"
	"assay/sovereign/schema"
	"assay/streams"
)

// Store is the store with the tables.
type Store interface {
	schema.Store
	// Prune compacts a table and removes all its old versions.
	Prune(ctx context.Context, table string) error
}

// Gold is what was folded, in all partitions: gold.Partitions, or those of all workers of a fleet (internal/app).
type Gold interface {
	Spellings(workflow string) ([]string, error)
	Forget(ctx context.Context, workflow string, bury func(ctx context.Context, spellings []string) (*gold.EraseScope, error)) (*gold.Forgotten, error)
	FlushAll(ctx context.Context) error
	Compact(ctx context.Context) error
}

// Options are the parts of Assay that have something to forget.
type Options struct {
	Log    *streams.Log
	Gold   Gold
	Store  Store
	Silver *silver.Options // as the Silver consumer has them
	Logger *slog.Logger
	Dir    string // for what is set aside meanwhile
	// Quietly, if not nil, runs do while others write little: compacting a table takes long while many write to it.
	Quietly func(ctx context.Context, do func() error) error
	// Running tells that the consumers run. Else frames that are written again would wait for them.
	Running bool
}

// Request asks for a workflow to be forgotten.
type Request struct {
	Workflow string
	Bronze   bool   // erase its frames in the log, too
	Abandon  bool   // give up promotions that are not published yet
	By       string // who asks
}

// Report tells what was removed.
type Report struct {
	streams.Tombstone
	Events     uint64 // shed and dead ones included
	Entities   uint64
	Promotions int    // rows
	Letters    int    // dead letters
	Frames     uint64 // of the log that hold events of the workflow alone
	Shared     uint64 // frames with events of other workflows, too, that are still in the log
	Rewritten  uint64 // such frames that were written again without the workflow's events
	Erased     int    // frames erased, those written again included
}

// Run forgets a workflow. It may be repeated, and forgets what has come since. Errors wrap ErrUnknown, ErrPending, ErrBusy or
// streams.ErrChain, or are those of the parts.
func Run(ctx context.Context, opts Options, request Request) (*Report, error) {
	was, err := opts.Log.Tombstone(ctx, request.Workflow)
	if err != nil {
		return nil, err
	}
	f := &forgetting{Options: opts, abandon: request.Abandon, moved: map[uint64]bool{}, report: &Report{Tombstone: streams.Tombstone{
		Workflow: request.Workflow, Bronze: request.Bronze, By: request.By, At: time.Now().UTC(),
	}}}
	if was != nil {
		f.report.Spellings = was.Spellings
	} else if err := f.checkKnown(ctx); err != nil {
		return nil, err
	}
	if err := f.checkPromotions(ctx); err != nil {
		return nil, err
	}
	return f.report, f.run(ctx)
}

// Resume ends what was interrupted. Nothing may be folded or promoted before it returns; what is captured meanwhile is new.
func Resume(ctx context.Context, opts Options) error {
	all, err := opts.Log.Tombstones(ctx)
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.Done {
			continue
		}
		opts.Logger.Info("going on with forgetting a workflow", "workflow", t.Workflow, "since", t.At)
		f := &forgetting{Options: opts, abandon: true, resumed: true, moved: map[uint64]bool{}, report: &Report{Tombstone: t}}
		if err := f.run(ctx); err != nil {
			return fmt.Errorf("forget %q: %w", t.Workflow, err)
		}
	}
	return nil
}

// forgetting is the forgetting of one workflow.
type forgetting struct {
	Options
	abandon bool
	resumed bool
	report  *Report
	whole   []uint64        // sequences of frames that hold events of the workflow alone
	mixed   []uint64        // sequences of frames that also hold others'
	moved   map[uint64]bool // those of them that were written again
	aside   *spool          // rows of frames up to readTo
	readTo  uint64
}

func (f *forgetting) run(ctx context.Context) error {
	info, err := f.Log.Bronze().Info(ctx)
	if err != nil {
		return fmt.Errorf("forget: read stream %s: %w", streams.StreamBronze, err)
	}
	upTo := info.State.LastSeq
	if f.resumed {
		upTo = f.report.Through
	}
	err = f.gather(ctx, upTo)
	if f.aside != nil {
		defer f.aside.close()
	}
	if err != nil {
		return err
	}
	failpoint.Point("forget: gathered")
	out, err := f.Gold.Forget(ctx, f.report.Workflow, f.bury)
	if err != nil {
		return err
	}
	f.report.Events, f.report.Entities = out.Events, out.Entities
	for _, step := range []func(context.Context) error{
		f.forgetPromotions, f.erase, f.forgetLetters, f.Gold.FlushAll, f.prune,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		failpoint.Point("forget: between steps")
	}
	f.report.Done = true
	return f.Log.Bury(ctx, f.report.Tombstone)
}

// Take takes a buried workflow out of one partition.
func Take(ctx context.Context, opts Options, from *gold.Gold, t streams.Tombstone) (*gold.Forgotten, error) {
	f := &forgetting{Options: opts, resumed: true, moved: map[uint64]bool{}, report: &Report{Tombstone: t}}
	err := f.gather(ctx, t.Through)
	if f.aside != nil {
		defer f.aside.close()
	}
	if err != nil {
		return nil, err
	}
	return from.Forget(ctx, t.Workflow, f.burial)
}

// burial is what the partitions need to know of what is buried.
func (f *forgetting) burial(ctx context.Context, _ []string) (*gold.EraseScope, error) {
	info, err := f.Log.Bronze().Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("forget: read stream %s: %w", streams.StreamBronze, err)
	}
	t := &f.report.Tombstone
	return &gold.EraseScope{
		Through: t.Through, Spellings: t.Spellings, Rows: f.rows(ctx),
		Gaps: info.State.FirstSeq > 1 || info.State.NumDeleted > 0,
	}, nil
}

// bury writes the tombstone.
func (f *forgetting) bury(ctx context.Context, spellings []string) (*gold.EraseScope, error) {
	info, err := f.Log.Bronze().Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("forget: read stream %s: %w", streams.StreamBronze, err)
	}
	t := &f.report.Tombstone
	if !f.resumed {
		t.Through = info.State.LastSeq
	}
	t.Spellings = append(t.Spellings, spellings...)
	slices.Sort(t.Spellings)
	t.Spellings = slices.Compact(t.Spellings)
	if err := f.Log.Bury(ctx, *t); err != nil {
		return nil, err
	}
	failpoint.Point("forget: buried")
	return f.burial(ctx, nil)
}

// checkKnown keeps a mistyped name from being buried.
func (f *forgetting) checkKnown(ctx context.Context) error {
	spellings, err := f.Gold.Spellings(f.report.Workflow)
	if err != nil || len(spellings) > 0 {
		return err
	}
	for _, subject := range streams.Subjects("*", streams.EscapeToken(f.report.Workflow)) {
		info, err := f.Log.Bronze().Info(ctx, jetstream.WithSubjectFilter(subject))
		if err != nil {
			return fmt.Errorf("forget: read stream %s: %w", streams.StreamBronze, err)
		}
		if len(info.State.Subjects) > 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: %q", ErrUnknown, f.report.Workflow)
}

// erase erases the frames.
func (f *forgetting) erase(ctx context.Context) (err error) {
	if !f.report.Bronze {
		f.report.Shared = uint64(len(f.mixed))
		return nil
	}
	if err := f.redact(ctx); err != nil {
		return err
	}
	f.report.Erased, err = f.Log.Erase(ctx, f.whole)
	return err
}

// prune removes what is left of deleted rows in old versions of the tables and, where nothing is to be left at all, in the
// state.
func (f *forgetting) prune(ctx context.Context) error {
	err := f.quietly(ctx, func() (err error) {
		for _, t := range schema.All {
			err = errors.Join(err, f.Store.Prune(ctx, t.Name))
		}
		return err
	})
	if f.report.Bronze {
		err = errors.Join(err, f.Gold.Compact(ctx))
	}
	return err
}

func (f *forgetting) quietly(ctx context.Context, do func() error) error {
	if f.Quietly == nil {
		return do()
	}
	return f.Quietly(ctx, do)
}
