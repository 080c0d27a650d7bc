package project

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
	"assay/sovereign/schema"
)

// The metrics, the graph and the shed counters are small next to traces, and most of their rows change often. Rows are
// deleted once what they count is gone.

func (t *Tables) writeMetricRows(ctx context.Context, snapshot *pebble.Snapshot, due []state.DirtyMark) (int, error) {
	return t.writeRows(ctx, snapshot, due, schema.CapabilityMetrics, func(r *rows, id uuid.UUID) (bool, error) {
		m, err := state.Load(snapshot, model.Key(model.KeyMetric, id), model.DecodeMetricSum)
		if err != nil || m == nil {
			return false, err
		}
		appendMetric(r, model.NewMetric(id, m))
		t.appendPart(r, m.Latencies)
		return true, nil
	})
}

func appendMetric(r *rows, m *model.Metric) {
	r.text(m.ID.String())
	r.text(m.Capability)
	r.textOrNull(m.Provider)
	r.instant(m.Bucket)
	r.integer(m.Calls)
	r.integer(m.Errors)
	r.integerOrNull(m.LatencyP50US)
	r.integerOrNull(m.LatencyP95US)
	r.integerOrNull(m.LatencyP99US)
	r.integer(m.Bytes)
	r.integer(m.InputTokens)
	r.integer(m.OutputTokens)
	r.integer(m.Workflows)
	r.text(m.Kind)
	r.realOrNull(m.CostUSD)
}

// appendPart appends of which partition a row of metrics is, and with several of them the latencies, without which nobody could
// sum up their rows.
func (t *Tables) appendPart(r *rows, latencies model.Sketch) {
	r.integerOrNull(t.opts.Partition.Column())
	if t.opts.Partition.Column() < 0 {
		latencies = nil
	}
	r.textOrNull(latencies.String())
}

func (t *Tables) writeElementRows(ctx context.Context, snapshot *pebble.Snapshot, due []state.DirtyMark) (int, error) {
	times, err := state.NewElementTimes(snapshot)
	if err != nil {
		return 0, err
	}
	elements := state.Seeker{From: snapshot}
	defer elements.Close()
	taken, err := t.writeRows(ctx, snapshot, due, schema.UsageGraph, func(r *rows, id uuid.UUID) (found bool, err error) {
		var e *model.Element
		found, err = state.Get(&elements, model.Key(model.KeyElement, id), func(record []byte) (err error) {
			e, err = times.Element(id, record)
			return err
		})
		if found && err == nil {
			appendElement(r, e)
			r.integerOrNull(t.opts.Partition.Column())
		}
		return found, err
	})
	return taken, errors.Join(err, times.Close())
}

func appendElement(r *rows, e *model.Element) {
	element := "edge"
	if e.Relation == "" {
		element = "node"
	}
	r.text(e.ID.String())
	r.text(element)
	r.text(e.Source)
	r.text(e.SourceType)
	r.textOrNull(e.Target)
	r.textOrNull(e.TargetType)
	r.textOrNull(e.Relation)
	r.integer(e.Count)
	r.integer(e.Errors)
	r.instantOrNull(e.FirstAt)
	r.instantOrNull(e.LastAt)
}

func (t *Tables) writeShedRows(ctx context.Context, snapshot *pebble.Snapshot, due []state.DirtyMark) (int, error) {
	return t.writeRows(ctx, snapshot, due, schema.Shed, func(r *rows, id uuid.UUID) (bool, error) {
		s, err := state.Load(snapshot, model.Key(model.KeyShed, id), model.DecodeShed)
		if err != nil || s == nil {
			return false, err
		}
		r.text(id.String())
		r.text(s.Workflow)
		r.text(s.Kind)
		r.integer(s.Count)
		r.integer(s.Bytes)
		return true, nil
	})
}

// writeRows writes the rows that build finds in the state, and deletes those that it does not find.
func (t *Tables) writeRows(
	ctx context.Context, snapshot *pebble.Snapshot, due []state.DirtyMark, table string, build func(*rows, uuid.UUID) (bool, error),
) (int, error) {
	fresh, known := newRows(table), newRows(table)
	defer fresh.Release()
	defer known.Release()
	var plans []intent
	var gone []uuid.UUID
	before := state.Seeker{From: snapshot}
	defer before.Close()
	for _, m := range due {
		written := writtenKey(m.Key[1], m.ID)
		was, err := state.Get(&before, written, func([]byte) error { return nil })
		if err != nil {
			return 0, err
		}
		to := fresh
		if was {
			to = known
		}
		switch found, err := build(to, m.ID); {
		case err != nil:
			return 0, err
		case !found:
			gone = append(gone, m.ID)
		case !was:
			plans = append(plans, intent{written, 1})
		}
	}
	if err := t.writeViews(ctx, plans, fresh, known); err != nil {
		return 0, err
	}
	if err := t.remove(ctx, table, gone); err != nil {
		return 0, err
	}
	return len(due), t.dropMarks(due, func(*pebble.Batch) error { return nil })
}
