package erase

import (
	"context"
	"iter"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/kernels"
	"assay/streams"
)

// gather reads the log up to a sequence and sets the workflow's events aside, as rows of Silver, so that folding stands still only
// for what comes meanwhile. It notes which frames have no others.
func (f *forgetting) gather(ctx context.Context, upTo uint64) (err error) {
	if f.aside == nil {
		if f.aside, err = newSpool(f.Dir); err != nil {
			return err
		}
	}
	f.read(ctx, upTo, func(record arrow.Record, failed error) bool {
		if err = failed; err == nil {
			err = f.aside.add(record)
		}
		return err == nil
	})
	return err
}

// rows yields the workflow's events in the log, as rows of Silver, as often as they are asked for: those that were set aside, and
// those behind them.
func (f *forgetting) rows(ctx context.Context) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		if f.readTo < f.report.Through { // now that nothing comes any more
			if err := f.gather(ctx, f.report.Through); err != nil {
				yield(nil, err)
				return
			}
		}
		f.aside.each(yield)
	}
}

// read yields the workflow's events in the frames that were not read yet, up to a sequence.
func (f *forgetting) read(ctx context.Context, upTo uint64, yield func(arrow.Record, error) bool) {
	if upTo <= f.readTo {
		return
	}
	by := *f.Silver
	by.Forgotten = nil
	g := gathering{by: &by, name: normalForm(f.report.Workflow), batch: by.NewBatch(), yield: yield}
	defer g.batch.Release()
	g.run(ctx, f, upTo)
	f.readTo = upTo
}

func normalForm(workflow string) string { return kernels.NormaliseString(workflow, false) }

// gathering is the reading of the log.
type gathering struct {
	by    *silver.Options
	name  string
	batch *silver.Batch
	yield func(arrow.Record, error) bool
}

func (g *gathering) run(ctx context.Context, f *forgetting, upTo uint64) {
	for m, err := range streams.Scan(ctx, f.Log.Bronze(), streams.ReplayOptions{FromSeq: f.readTo + 1, ToSeq: upTo}) {
		if err != nil {
			g.yield(nil, err)
			return
		}
		switch events := g.by.Events(m); g.take(events) {
		case len(events):
			if len(events) > 0 || normalForm(subjectWorkflow(m.Subject)) == g.name {
				f.whole = append(f.whole, m.Seq)
				f.report.Frames++
			}
		case 0:
		default:
			f.mixed = append(f.mixed, m.Seq)
		}
		if g.batch.Rows() >= g.by.MaxRows || g.batch.Bytes() >= g.by.MaxBytes {
			if !g.hand() {
				return
			}
		}
	}
	g.hand()
}

// take gathers the workflow's events and returns how many there are.
func (g *gathering) take(events []bronze.Event) (mine int) {
	for i := range events {
		if normalForm(events[i].WorkflowID) == g.name {
			g.batch.Append(&events[i])
			mine++
		}
	}
	return mine
}

// hand passes on what was gathered, and tells whether more is wanted.
func (g *gathering) hand() bool {
	record, err := g.batch.Record()
	if err != nil {
		g.yield(nil, err)
		return false
	}
	defer record.Release()
	return g.yield(record, nil)
}

// subjectWorkflow is the workflow that a frame was published for.
func subjectWorkflow(subject string) string {
	workflow, err := streams.UnescapeToken(subject[strings.LastIndexByte(subject, '.')+1:])
	if err != nil {
		return ""
	}
	return workflow
}
