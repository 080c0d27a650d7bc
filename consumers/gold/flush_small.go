package gold

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/sovereign/schema"
)

// The metrics, the graph and the shed counters are small next to traces, and most of their rows change often. Rows are
// deleted once what they count is gone.

func (g *Gold) writeMetricRows(ctx context.Context, snapshot *pebble.Snapshot, due []mark) (int, error) {
	return g.writeRows(ctx, snapshot, due, schema.CapabilityMetrics, func(r *rows, id uuid.UUID) (bool, error) {
		m, err := load(snapshot, key(keyMetric, id), decodeMetric)
		if err != nil || m == nil {
			return false, err
		}
		newMetricView(id, m).appendTo(r)
		g.appendPart(r, m.latencies)
		return true, nil
	})
}

func (m *Metric) appendTo(r *rows) {
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
func (g *Gold) appendPart(r *rows, latencies sketch) {
	r.integerOrNull(g.opts.column())
	if g.opts.column() < 0 {
		latencies = nil
	}
	r.textOrNull(latencies.String())
}

func (g *Gold) writeElementRows(ctx context.Context, snapshot *pebble.Snapshot, due []mark) (int, error) {
	times, err := newTimes(snapshot)
	if err != nil {
		return 0, err
	}
	elements := seeker{from: snapshot}
	defer elements.close()
	taken, err := g.writeRows(ctx, snapshot, due, schema.UsageGraph, func(r *rows, id uuid.UUID) (found bool, err error) {
		var e *Element
		found, err = get(&elements, key(keyElement, id), func(record []byte) (err error) {
			e, err = times.element(id, record)
			return err
		})
		if found && err == nil {
			e.appendTo(r)
			r.integerOrNull(g.opts.column())
		}
		return found, err
	})
	return taken, errors.Join(err, times.close())
}

func (e *Element) appendTo(r *rows) {
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

func (g *Gold) writeShedRows(ctx context.Context, snapshot *pebble.Snapshot, due []mark) (int, error) {
	return g.writeRows(ctx, snapshot, due, schema.Shed, func(r *rows, id uuid.UUID) (bool, error) {
		s, err := load(snapshot, key(keyShed, id), decodeShed)
		if err != nil || s == nil {
			return false, err
		}
		r.text(id.String())
		r.text(s.workflow)
		r.text(s.kind)
		r.integer(s.count)
		r.integer(s.bytes)
		return true, nil
	})
}

// writeRows writes the rows that build finds in the state, and deletes those that it does not find.
func (g *Gold) writeRows(
	ctx context.Context, snapshot *pebble.Snapshot, due []mark, table string, build func(*rows, uuid.UUID) (bool, error),
) (int, error) {
	fresh, known := newRows(table), newRows(table)
	defer fresh.Release()
	defer known.Release()
	var plans []plan
	var gone []uuid.UUID
	before := seeker{from: snapshot}
	defer before.close()
	for _, m := range due {
		written := writtenKey(m.key[1], m.id)
		was, err := get(&before, written, func([]byte) error { return nil })
		if err != nil {
			return 0, err
		}
		to := fresh
		if was {
			to = known
		}
		switch found, err := build(to, m.id); {
		case err != nil:
			return 0, err
		case !found:
			gone = append(gone, m.id)
		case !was:
			plans = append(plans, plan{written, 1})
		}
	}
	if err := g.writeViews(ctx, plans, fresh, known); err != nil {
		return 0, err
	}
	if err := g.remove(ctx, table, gone); err != nil {
		return 0, err
	}
	return len(due), g.unmark(due, func(*pebble.Batch) error { return nil })
}
