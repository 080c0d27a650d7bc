package fold

import (
	"encoding/binary"
	"errors"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// writeMetrics adds the delta's changes to the metrics.
func (f *Tx) writeMetrics() error {
	for k, change := range f.Delta.Metrics {
		if err := f.writeMetric(k, change); err != nil {
			return err
		}
	}
	return nil
}

func (f *Tx) writeMetric(k model.MetricKey, change *model.MetricDelta) error {
	id := k.ID(f.Engine.sums)
	m, err := state.Load(f.DB, model.Key(model.KeyMetric, id), model.DecodeMetricSum)
	if err != nil {
		return err
	}
	if m == nil {
		m = &model.MetricSum{MetricKey: k}
	}
	m.Add(change)
	for workflow, n := range change.Workflows {
		came, err := f.countWorkflow(append(model.Key(model.KeyWorkflow, id), workflow...), n)
		if err != nil {
			return err
		}
		m.Workflows += came
	}
	if m.Calls == 0 {
		return errors.Join(f.Delete(model.Key(model.KeyMetric, id)), f.mark(state.DirtyMetric, id))
	}
	return errors.Join(f.Set(model.Key(model.KeyMetric, id), m.Encode()), f.mark(state.DirtyMetric, id))
}

// countWorkflow adds n to the calls that a workflow has in a metric and returns 1 if these are its first, -1 if it has no
// more, else 0.
func (f *Tx) countWorkflow(key []byte, n int64) (came int64, err error) {
	if n == 0 {
		return 0, nil
	}
	var calls int64
	if _, err := state.Get(f.DB, key, func(value []byte) error {
		d := model.Decoder{Rest: value}
		calls = d.Int()
		return d.End()
	}); err != nil {
		return 0, err
	}
	switch {
	case calls == 0:
		came = 1
	case calls+n == 0:
		return -1, f.Delete(key)
	}
	return came, f.Set(key, binary.AppendVarint(nil, calls+n))
}

// writeElements adds the delta's changes to the graph.
func (f *Tx) writeElements() error {
	for el, change := range f.Delta.Elements {
		if change.DropUnchanged(); change.IsZero() {
			continue
		}
		if err := f.writeElement(el, change); err != nil {
			return err
		}
	}
	return nil
}

func (f *Tx) writeElement(el model.ElementKey, change *model.ElementDelta) error {
	id := el.ID(f.Engine.sums)
	t, err := state.Load(f.seeker, model.Key(model.KeyElement, id), model.DecodeElementCount)
	if err != nil {
		return err
	}
	isNew := t == nil
	if isNew {
		t = &model.ElementCount{ElementKey: el}
	}
	t.Count += change.Count
	t.Errors += change.Errors
	if err := f.writeMoments(id, el, change); err != nil {
		return err
	}
	switch {
	case isNew && t.Count == 0:
		return nil
	case isNew:
		f.Totals.Count(el, +1)
	case t.Count == 0:
		f.Totals.Count(el, -1)
		return errors.Join(f.Delete(model.Key(model.KeyElement, id)), f.mark(state.DirtyElement, id))
	}
	return errors.Join(f.Set(model.Key(model.KeyElement, id), t.Encode()), f.mark(state.DirtyElement, id))
}

// writeSheds adds the shed events of the group to their counters.
func (f *Tx) writeSheds() error {
	for k, change := range f.sheds {
		id := k.ID(f.Opts.Partition.Namespace)
		s, err := state.Load(f.DB, model.Key(model.KeyShed, id), model.DecodeShed)
		if err != nil {
			return err
		}
		if s == nil {
			s = &model.ShedCount{ShedKey: k}
		}
		s.Count += change.Count
		s.Bytes += change.Bytes
		write := f.Set(model.Key(model.KeyShed, id), s.Encode())
		if s.Count == 0 {
			write = f.Delete(model.Key(model.KeyShed, id))
		}
		if err := errors.Join(write, f.mark(state.DirtyShed, id)); err != nil {
			return err
		}
	}
	return nil
}

// DeleteRange deletes the keys from one on and before another.
func (f *Tx) DeleteRange(from, before []byte) error {
	return state.Wrap("write", f.writes.DeleteRange(from, before, nil))
}

// Delete deletes a key with the commit.
func (f *Tx) Delete(key []byte) error {
	return state.Wrap("write", f.writes.Delete(key, nil))
}

// countTrace counts a row that traces is to have.
func (f *Tx) countTrace(workflow string, bronzeSeq int64) {
	t := f.traces[workflow]
	if t == nil {
		t = &model.TraceCount{}
		f.traces[workflow] = t
	}
	t.Events++
	t.LastBronzeSeq = max(t.LastBronzeSeq, bronzeSeq)
}

// writeTraceCounts adds the group's rows to their workflows' counts.
func (f *Tx) writeTraceCounts() error {
	for workflow, came := range f.traces {
		k := model.TraceCountKey(workflow)
		before, err := state.Load(f.DB, k, model.DecodeTraceCount)
		if err != nil {
			return err
		}
		if before != nil {
			came.Events += before.Events
			came.LastBronzeSeq = max(came.LastBronzeSeq, before.LastBronzeSeq)
		}
		if err := f.Set(k, came.Encode()); err != nil {
			return err
		}
	}
	return nil
}
