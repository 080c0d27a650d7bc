package audit

import (
	"context"
	"encoding/binary"
	"regexp"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/silver"
	"assay/internal/ops/retention"
	"assay/sovereign/schema"
)

// expected is the store into which the fresh Gold writes. Of traces it notes which events are new; of the rows of the
// other tables it keeps the signatures, by id, so that a row which changes replaces itself.
type expected struct {
	*scratch
	workflow string // whose rows are kept; "": all
	kept     map[string]time.Time
	noting   sync.Mutex       // partitions are folded at once; it guards new
	new      map[key]struct{} // events of the group being folded that were in no earlier frame
}

func newExpected(space *scratch, workflow string, kept map[string]time.Time) *expected {
	return &expected{scratch: space, workflow: workflow, kept: kept, new: map[key]struct{}{}}
}

// Append implements schema.Store.
func (e *expected) Append(_ context.Context, table string, rows arrow.Record) error {
	l := newLayout(table)
	if l.byFrame {
		return e.note(l, rows)
	}
	return e.keep(l, rows)
}

// Merge implements schema.Store.
func (e *expected) Merge(ctx context.Context, table string, rows arrow.Record) error {
	return e.Append(ctx, table, rows)
}

// idsIn finds the ids that a filter names.
var idsIn = regexp.MustCompile(`'([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})'`)

// Delete implements schema.Store. Gold deletes rows by their ids; of traces, which it would reconcile, nothing is kept.
func (e *expected) Delete(_ context.Context, table string, where schema.Filter) error {
	if table == schema.Traces {
		return nil
	}
	writes := e.db.NewBatch()
	defer writes.Close()
	for _, id := range idsIn.FindAllStringSubmatch(where.SQL(), -1) {
		if err := writes.Delete(expectedKey(table, uuid.MustParse(id[1])), nil); err != nil {
			return stateError(err)
		}
	}
	return stateError(writes.Commit(pebble.Sync))
}

// Count implements schema.Store: when Gold opens, there is nothing that it does not know.
func (e *expected) Count(context.Context, string, schema.Filter) (int64, error) { return 0, nil }

// Query implements schema.Store.
func (e *expected) Query(_ context.Context, q schema.Query) (array.RecordReader, error) {
	return array.NewRecordReader(schema.ByName(q.Table).Schema, nil)
}

// beginGroup is called before the frames of a range are folded as one group. Where that was interrupted, some partitions know its
// events already, so what was noted of them stays.
func (e *expected) beginGroup(from, to uint64) error {
	begun, _, err := e.recallGroup()
	if err != nil {
		return err
	}
	writes := e.db.NewBatch()
	defer writes.Close()
	span := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, from), to)
	if err := writes.Set([]byte{keyGroup}, span, nil); err != nil {
		return stateError(err)
	}
	if begun != from {
		clear(e.new)
		if err := writes.DeleteRange([]byte{keyNew}, []byte{keyNew + 1}, nil); err != nil {
			return stateError(err)
		}
	}
	return stateError(writes.Commit(pebble.Sync))
}

// note remembers, before Gold commits them, which events are new, so that it is known after an interruption.
func (e *expected) note(l *layout, rows arrow.Record) error {
	keys, err := newKeys(l, rows)
	if err != nil {
		return err
	}
	e.noting.Lock()
	defer e.noting.Unlock()
	writes := e.db.NewBatch()
	defer writes.Close()
	for row := range int(rows.NumRows()) {
		k, _ := keys.at(row)
		e.new[k] = struct{}{}
		if err := writes.Set(k.encode(), nil, nil); err != nil {
			return stateError(err)
		}
	}
	return stateError(writes.Commit(pebble.Sync))
}

// recallGroup reads which group was folded last, and which of its events were new.
func (e *expected) recallGroup() (from, to uint64, err error) {
	clear(e.new)
	if err := e.get([]byte{keyGroup}, func(span []byte) error {
		from, to = binary.BigEndian.Uint64(span), binary.BigEndian.Uint64(span[8:])
		return nil
	}); err != nil {
		return 0, 0, err
	}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: []byte{keyNew}, UpperBound: []byte{keyNew + 1}})
	if err != nil {
		return 0, 0, stateError(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		e.new[decodeKey(it.Key())] = struct{}{}
	}
	return from, to, stateError(it.Close())
}

func (e *expected) keep(l *layout, rows arrow.Record) error {
	signed, err := newSigned(l, rows)
	if err != nil {
		return err
	}
	writes := e.db.NewBatch()
	defer writes.Close()
	var r row
	ours, aged := ofWorkflow(rows, e.workflow), retention.AgedRows(l.table.Name, e.kept[l.table.Name], rows)
	for i := range int(rows.NumRows()) {
		if !ours(i) || aged(i) {
			continue
		}
		signed.read(i, &r)
		if err := writes.Set(expectedKey(l.table.Name, r.id), r.encode(), nil); err != nil {
			return stateError(err)
		}
	}
	return stateError(writes.Commit(pebble.Sync)) // before Gold forgets that it had to write them
}

// ofWorkflow tells which rows of a record are a workflow's; "" and tables that do not say stand for all.
func ofWorkflow(rows arrow.Record, workflow string) func(row int) bool {
	column, ok := columnOf(rows, silver.ColWorkflowID).(*array.String)
	if workflow == "" || !ok {
		return func(int) bool { return true }
	}
	return func(row int) bool { return column.Value(row) == workflow }
}

// encode is the key under which an event is noted as new.
func (k key) encode() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(append([]byte{keyNew}, k.ID[:]...), k.Seq), k.Position)
}

func decodeKey(noted []byte) key {
	rest := noted[1:]
	return key{uuid.UUID(rest[:16]), binary.BigEndian.Uint64(rest[16:]), binary.BigEndian.Uint64(rest[24:])}
}
