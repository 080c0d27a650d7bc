package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"assay/consumers/bronze"
	"assay/consumers/gold"
	"assay/consumers/silver"
	"assay/internal/ops/deadletter"
	"assay/internal/query/replay"
	"assay/kernels"
	"assay/sovereign/schema"
	"assay/streams"
)

// Rest is a moment at which the tables hold what a part of the log says, and nothing else.
type Rest struct {
	UpTo   uint64       // the last sequence of that part
	Totals *gold.Totals // what the state has counted of it
	// Resume lets processing go on, but for what changes rows of derived tables. It may be called any number of times.
	Resume func()
}

// Options configure an audit.
type Options struct {
	Log    *streams.Log
	Silver *silver.Options // as the Silver consumer has them
	Gold   gold.Options    // as Gold has them; what is particular to it is replaced
	Store  schema.Reader
	// AtRest runs do at a moment of rest. Until do returns nobody writes derived tables.
	AtRest func(ctx context.Context, do func(Rest) error) error
	// Shared reports whether events of other workflows may belong to the event's entity. It is asked where Workflow is set.
	Shared func(e *bronze.Event) bool
	Dir    string // what is computed, which outlives an interruption
	// Stamp tells one program with its settings, and the tables as they are, from any other: only with the same one an
	// audit goes on where an earlier one was interrupted.
	Stamp    string
	Workflow string // audit only this one; "": all, and with it metrics and graph
	ListMax  int    // differences to list; more are only counted
	// Kept tells for each table, where retention drops rows, from when on they must be there.
	Kept map[string]time.Time
	// Yield, if not nil, is called after each part, which took so long, to leave the machine to others for a while.
	Yield func(ctx context.Context, took time.Duration)
	// Progress, if not nil, is told after each part how many frames of how many are done.
	Progress func(done, total uint64)
}

const (
	// DefaultListMax is a number of differences that fits a terminal's memory and a person's patience.
	DefaultListMax = 1000
	// cacheBytes is the cache of the fresh state.
	cacheBytes = 32 << 20
	// epoch numbers the groups that are folded by the sequence of their last frame, as there are no messages of SILVER.
	epoch = "audit"
)

// Run compares the tables, as they were at a moment of rest, with the log up to there; processing may go on meanwhile.
// Interrupted, it leaves in Dir what the next Run goes on from. That rows differ is not an error but what the Report says.
// Errors wrap ErrStore, ErrState, ErrColumn, ErrOvertaken or letters.ErrLedger, are those of streams.Scan and AtRest, or the
// context's.
func Run(ctx context.Context, opts Options) (report *Report, err error) {
	begun := time.Now()
	a := &audit{Options: opts}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.close())
	}
	for _, step := range []func(context.Context) error{
		a.findAged, a.auditTraces, a.auditDerived, a.auditPromotions, a.auditLetters, a.auditTotals, a.locate,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, a.close())
		}
	}
	report = a.reached.Report
	report.Seconds += time.Since(begun).Seconds()
	return report, errors.Join(a.close(), a.discard())
}

// audit is an audit under way.
type audit struct {
	Options
	reached  *checkpoint
	report   *Report // of reached
	expected *expected
	letters  *deadletter.Ledger
	gold     *gold.Partitions // fresh, over expected
	aged     *agedOut
}

// open goes on where an earlier audit was interrupted, or begins.
func (a *audit) open(ctx context.Context) error {
	goesOn, err := a.resume(ctx)
	if goesOn || err != nil {
		return err
	}
	if err := errors.Join(a.close(), a.discard()); err != nil {
		return err
	}
	if err := a.openScratch(ctx); err != nil {
		return err
	}
	return a.AtRest(ctx, func(rest Rest) error { return a.begin(ctx, rest) })
}

// openScratch opens what is computed.
func (a *audit) openScratch(ctx context.Context) (err error) {
	if err := os.MkdirAll(a.Dir, 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	space, err := openScratch(filepath.Join(a.Dir, "rows"))
	if err != nil {
		return err
	}
	a.expected = newExpected(space, a.Workflow, a.Kept)
	if a.letters, err = deadletter.Open(filepath.Join(a.Dir, "letters")); err != nil {
		return err
	}
	options := a.Gold
	options.Dir, options.Store, options.Epoch, options.CacheBytes = filepath.Join(a.Dir, "state"), a.expected, epoch, cacheBytes
	options.Fault = nil
	a.gold, err = gold.OpenPartitions(ctx, options)
	return err
}

func (a *audit) close() error {
	var errs []error
	if a.gold != nil {
		errs = append(errs, a.gold.Close())
	}
	if a.expected != nil {
		errs = append(errs, a.expected.close())
	}
	if a.letters != nil {
		errs = append(errs, a.letters.Close())
	}
	a.gold, a.expected, a.letters = nil, nil, nil
	return errors.Join(errs...)
}

func (a *audit) discard() error {
	if err := os.RemoveAll(a.Dir); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return nil
}

// begin finds out what there is to compare: which part of the log, and the rows of tables that change as it grows.
func (a *audit) begin(ctx context.Context, rest Rest) error {
	defer rest.Resume()
	info, err := a.Log.Bronze().Info(ctx)
	if err != nil {
		return fmt.Errorf("audit: read stream %s: %w", streams.StreamBronze, err)
	}
	lost, err := a.Log.Missing(ctx)
	if err != nil {
		return err
	}
	a.report = &Report{
		Workflow: a.Workflow, AsOf: time.Now().UTC(), FirstSeq: max(1, info.State.FirstSeq), LastSeq: rest.UpTo, Lost: lost,
	}
	a.reached = &checkpoint{
		Stamp: a.Stamp, Created: info.Created, Report: a.report, Totals: rest.Totals, From: a.report.FirstSeq,
		Traces: Tally{Table: schema.Traces},
	}
	if err := a.picturePromotions(ctx); err != nil { // which grow as soon as processing goes on
		return err
	}
	dead, err := a.Log.Dead().Info(ctx)
	if err != nil {
		return fmt.Errorf("audit: read stream %s: %w", streams.StreamDead, err)
	}
	rest.Resume()
	for _, name := range derivedTables {
		if err := a.picture(ctx, newLayout(name)); err != nil {
			return err
		}
	}
	if err := a.readLetters(ctx, dead.State.LastSeq); err != nil {
		return err
	}
	return a.save()
}

// save makes all that was computed durable, and that it was.
func (a *audit) save() error {
	if err := a.letters.Sync(); err != nil {
		return err
	}
	return a.expected.save(a.reached)
}

// wanted chooses the events of the audited workflow, and those that have a say in its rows: of other workflows whose
// identities could be the same, and captures of one event that several workflows have.
func (a *audit) wanted() func(*bronze.Event) bool {
	if a.Workflow == "" {
		return nil
	}
	name := kernels.NormaliseString(a.Workflow, false)
	return func(e *bronze.Event) bool {
		return e.WorkflowID == a.Workflow || e.EventID != "" || kernels.NormaliseString(e.WorkflowID, false) == name || a.Shared(e)
	}
}

// where restricts a question to the audited workflow.
func (a *audit) where(filters ...schema.Filter) schema.Filter {
	if a.Workflow != "" {
		filters = append(filters, schema.Eq(silver.ColWorkflowID, a.Workflow))
	}
	return schema.And(filters...)
}

// refine yields what is wanted of the frames from a sequence on as rows.
func (a *audit) refine(ctx context.Context, from, to uint64) func(yield func(*replay.Rows, error) bool) {
	return replay.Refine(ctx, a.Log.Bronze(), a.Silver, replay.Range{From: from, To: to}, a.wanted())
}

// auditTotals compares what the state has counted with what was counted here.
func (a *audit) auditTotals(context.Context) error {
	counted := a.reached.Totals
	if counted == nil || a.Workflow != "" || a.aged.any() {
		return nil
	}
	var columns []string
	now := a.gold.Totals()
	for _, t := range []struct {
		name          string
		want, counted uint64
	}{
		{"events", now.Events, counted.Events}, {"traces", now.Traces, counted.Traces},
		{"shed", now.Shed, counted.Shed}, {"dead", now.Dead, counted.Dead},
		{"entities", now.Entities, counted.Entities}, {"capabilities", now.Capabilities, counted.Capabilities},
		{"nodes", now.Nodes, counted.Nodes}, {"edges", now.Edges, counted.Edges},
	} {
		if t.want != t.counted {
			columns = append(columns, t.name)
		}
	}
	tally := Tally{Table: "state", Expected: 1, Stored: 1}
	if columns != nil {
		a.report.add(&tally, Difference{Key: "totals", Finding: Different, Columns: columns}, a.ListMax)
	}
	a.report.Tables = append(a.report.Tables, tally)
	return nil
}
