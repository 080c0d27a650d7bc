package gold

import (
	"encoding/binary"
	"errors"
)

// writeMetrics adds the ledger's changes to the metrics.
func (f *folding) writeMetrics() error {
	for k, change := range f.ledger.metrics {
		if err := f.writeMetric(k, change); err != nil {
			return err
		}
	}
	return nil
}

func (f *folding) writeMetric(k metricKey, change *metricChange) error {
	id := k.id(f.g.sums)
	m, err := load(f.g.state.db, key(keyMetric, id), decodeMetric)
	if err != nil {
		return err
	}
	if m == nil {
		m = &metric{metricKey: k}
	}
	m.add(change)
	for workflow, n := range change.workflows {
		came, err := f.countWorkflow(append(key(keyWorkflow, id), workflow...), n)
		if err != nil {
			return err
		}
		m.workflows += came
	}
	if m.calls == 0 {
		return errors.Join(f.delete(key(keyMetric, id)), f.mark(dirtyMetric, id))
	}
	return errors.Join(f.set(key(keyMetric, id), m.encode()), f.mark(dirtyMetric, id))
}

// countWorkflow adds n to the calls that a workflow has in a metric and returns 1 if these are its first, -1 if it has no
// more, else 0.
func (f *folding) countWorkflow(key []byte, n int64) (came int64, err error) {
	if n == 0 {
		return 0, nil
	}
	var calls int64
	if _, err := f.g.state.get(key, func(value []byte) error {
		d := decoder{rest: value}
		calls = d.int()
		return d.end()
	}); err != nil {
		return 0, err
	}
	switch {
	case calls == 0:
		came = 1
	case calls+n == 0:
		return -1, f.delete(key)
	}
	return came, f.set(key, binary.AppendVarint(nil, calls+n))
}

// writeElements adds the ledger's changes to the graph.
func (f *folding) writeElements() error {
	for el, change := range f.ledger.elements {
		if change.settle(); change.nothing() {
			continue
		}
		if err := f.writeElement(el, change); err != nil {
			return err
		}
	}
	return nil
}

func (f *folding) writeElement(el element, change *elementChange) error {
	id := el.id(f.g.sums)
	t, err := load(f.seeker, key(keyElement, id), decodeTally)
	if err != nil {
		return err
	}
	isNew := t == nil
	if isNew {
		t = &tally{element: el}
	}
	t.count += change.count
	t.errors += change.errors
	if err := f.writeMoments(id, el, change); err != nil {
		return err
	}
	switch {
	case isNew && t.count == 0:
		return nil
	case isNew:
		f.totals.count(el, +1)
	case t.count == 0:
		f.totals.count(el, -1)
		return errors.Join(f.delete(key(keyElement, id)), f.mark(dirtyElement, id))
	}
	return errors.Join(f.set(key(keyElement, id), t.encode()), f.mark(dirtyElement, id))
}

// count adds n elements like el, where n may be negative.
func (t *Totals) count(el element, n int) {
	if !el.isNode() {
		t.Edges += uint64(n)
		return
	}
	t.Nodes += uint64(n)
	if el.source.kind == NodeCapability || el.source.kind == NodeModel {
		t.Capabilities += uint64(n)
	}
}

// writeSheds adds the shed events of the group to their counters.
func (f *folding) writeSheds() error {
	for k, change := range f.sheds {
		id := k.id(f.g.opts.Namespace)
		s, err := load(f.g.state.db, key(keyShed, id), decodeShed)
		if err != nil {
			return err
		}
		if s == nil {
			s = &shedCount{shedKey: k}
		}
		s.count += change.count
		s.bytes += change.bytes
		write := f.set(key(keyShed, id), s.encode())
		if s.count == 0 {
			write = f.delete(key(keyShed, id))
		}
		if err := errors.Join(write, f.mark(dirtyShed, id)); err != nil {
			return err
		}
	}
	return nil
}

func (f *folding) delete(key []byte) error {
	return stateError("write", f.writes.Delete(key, nil))
}
