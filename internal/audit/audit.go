package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/consumers/bronze"
	"assay/consumers/gold"
	"assay/consumers/silver"
	"assay/internal/replay"
	"assay/internal/tables"
	"assay/kernels"
	"assay/streams"
)

// Store is what an audit reads of the tables.
type Store interface {
	Query(ctx context.Context, q tables.Query) (array.RecordReader, error)
	Count(ctx context.Context, table string, where tables.Filter) (int64, error)
}

// Options configure an audit.
type Options struct {
	Log    *streams.Log
	Silver *silver.Options // as the Silver consumer has them
	Gold   gold.Options    // as Gold has them; Dir and Store are replaced
	Store  Store
	// Totals is what the state has counted, which is compared too; nil is not.
	Totals   *gold.Totals
	Dir      string // scratch space: it is emptied first, and removed at the end
	Workflow string // audit only this one; "": all, and with it metrics and graph
	ListMax  int    // differences to list; more are only counted
	// Progress, if not nil, is told after each part how many frames of how many are done.
	Progress func(done, total uint64)
}

// DefaultListMax is a number of differences that fits a terminal's memory and a person's patience.
const DefaultListMax = 1000

// Run compares the tables with the log as they are; nobody may write to them meanwhile. That rows differ is not an error
// but what the Report says. Errors wrap ErrStore, ErrState or ErrColumn, are those of streams.Scan, or the context's.
func Run(ctx context.Context, opts Options) (report *Report, err error) {
	begun := time.Now()
	a := &audit{Options: opts, report: &Report{Workflow: opts.Workflow}}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.close())
	}
	defer func() { err = errors.Join(err, a.close()) }()
	for _, step := range []func(context.Context) error{a.survey, a.auditTraces, a.auditDerived, a.auditTotals, a.locate} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	a.report.Seconds = time.Since(begun).Seconds()
	return a.report, nil
}

// audit is an audit under way.
type audit struct {
	Options
	report   *Report
	expected *expected
	gold     *gold.Gold // fresh, over expected
	aged     *agedOut
}

func (a *audit) open(ctx context.Context) (err error) {
	if err := os.RemoveAll(a.Dir); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	if err := os.MkdirAll(a.Dir, 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	if a.expected, err = openExpected(filepath.Join(a.Dir, "rows"), a.Workflow); err != nil {
		return err
	}
	options := a.Gold
	options.Dir, options.Store = filepath.Join(a.Dir, "state"), a.expected
	a.gold, err = gold.Open(ctx, options)
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
	return errors.Join(append(errs, os.RemoveAll(a.Dir))...)
}

// survey finds out what the log still has, and which entities have lost frames.
func (a *audit) survey(ctx context.Context) error {
	info, err := a.Log.Bronze().Info(ctx)
	if err != nil {
		return fmt.Errorf("audit: read stream %s: %w", streams.StreamBronze, err)
	}
	a.report.FirstSeq, a.report.LastSeq = max(1, info.State.FirstSeq), info.State.LastSeq
	a.aged, err = a.findAged(ctx)
	return err
}

// wanted chooses the events of the audited workflow, and of those whose identities could be the same.
func (a *audit) wanted() func(*bronze.Event) bool {
	if a.Workflow == "" {
		return nil
	}
	name := kernels.NormaliseString(a.Workflow, false)
	return func(e *bronze.Event) bool {
		return e.WorkflowID == a.Workflow || kernels.NormaliseString(e.WorkflowID, false) == name
	}
}

// where restricts a question to the audited workflow.
func (a *audit) where(filters ...tables.Filter) tables.Filter {
	if a.Workflow != "" {
		filters = append(filters, tables.Eq(silver.ColWorkflowID, a.Workflow))
	}
	return tables.And(filters...)
}

// span is what the log had when the audit began.
func (a *audit) span() replay.Range {
	return replay.Range{From: a.report.FirstSeq, To: a.report.LastSeq}
}

// auditTotals compares what the state has counted with what was counted here.
func (a *audit) auditTotals(context.Context) error {
	if a.Totals == nil || a.Workflow != "" || a.aged.any() {
		return nil
	}
	var columns []string
	now := a.gold.Totals()
	for _, t := range []struct {
		name          string
		want, counted uint64
	}{
		{"events", now.Events, a.Totals.Events}, {"traces", now.Traces, a.Totals.Traces},
		{"shed", now.Shed, a.Totals.Shed}, {"dead", now.Dead, a.Totals.Dead},
		{"entities", now.Entities, a.Totals.Entities}, {"capabilities", now.Capabilities, a.Totals.Capabilities},
		{"nodes", now.Nodes, a.Totals.Nodes}, {"edges", now.Edges, a.Totals.Edges},
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
