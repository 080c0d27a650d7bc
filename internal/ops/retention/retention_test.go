package retention

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"assay/sovereign/schema"
	"assay/streams/streamstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An entity counts by when it ended, else by when it began; one that is open stays.
func TestAgedRows(t *testing.T) {
	before := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	old, young := arrow.Timestamp(before.UnixMicro()-1), arrow.Timestamp(before.UnixMicro())
	const none = arrow.Timestamp(0)
	cases := []struct {
		started, ended arrow.Timestamp
		status         string
		aged           bool
	}{
		{old, old, "ok", true}, {old, young, "ok", false}, {old, none, "ok", true}, {old, none, "open", false},
		{none, none, "ok", false}, {young, none, "error", false},
	}
	fields := schema.ByName(schema.Entities).Schema
	b := array.NewRecordBuilder(memory.DefaultAllocator, fields)
	defer b.Release()
	for _, c := range cases {
		for i, field := range fields.Fields() {
			switch column := b.Field(i).(type) {
			case *array.TimestampBuilder:
				at := map[string]arrow.Timestamp{"started_at": c.started, "ended_at": c.ended}[field.Name]
				if at == none {
					column.AppendNull()
				} else {
					column.Append(at)
				}
			case *array.StringBuilder:
				column.Append(c.status)
			case *array.Int64Builder:
				column.Append(1)
			default:
				column.AppendNull()
			}
		}
	}
	rows := b.NewRecord()
	defer rows.Release()
	aged := AgedRows(schema.Entities, before, rows)
	for i, c := range cases {
		if aged(i) != c.aged {
			t.Errorf("%+v: aged %t", c, !c.aged)
		}
	}
}

// raced is a bucket in which another process moves a horizon just before this one does.
type raced struct {
	jetstream.KeyValue
	other func()
}

func (r raced) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	r.other()
	return r.KeyValue.Update(ctx, key, value, revision)
}

// counted is a store that has a row of each age.
type counted struct {
	schema.Store
	deleted []string
}

func (s *counted) Count(context.Context, string, schema.Filter) (int64, error) { return 1, nil }

func (s *counted) Bytes(context.Context, string) (int64, error) { return 0, nil }

func (s *counted) Delete(_ context.Context, table string, _ schema.Filter) error {
	s.deleted = append(s.deleted, table)
	return nil
}

// A horizon that another process has moved meanwhile is not written over: no row may be dropped that no horizon tells of.
func TestHorizonsOfTwoProcesses(t *testing.T) {
	state := streamstest.NewLog(t).State()
	ctx := t.Context()
	theirs := map[string]Horizon{schema.Episodes: {Before: time.Unix(5, 0).UTC(), Dropped: 7}}
	store := &counted{}
	k := Keeper{
		Store: store, Limits: map[string]Limits{schema.Traces: {MaxAge: time.Hour}}, Now: time.Now,
		Exclusive: func(do func() error) error { return do() },
		State: raced{state, func() {
			value, err := json.Marshal(theirs)
			if err == nil {
				_, err = state.Put(ctx, horizonKey, value)
			}
			if err != nil {
				t.Error(err)
			}
		}},
	}
	if err := k.Round(ctx); err != nil {
		t.Fatal(err)
	}
	all, err := Horizons(ctx, state)
	if err != nil || all[schema.Episodes] != theirs[schema.Episodes] || len(store.deleted) > 0 {
		t.Errorf("horizons %+v, %v; dropped from %v", all, err, store.deleted)
	}
	k.State = state
	if err := k.Round(ctx); err != nil {
		t.Fatal(err)
	}
	if all, err = Horizons(ctx, state); err != nil || len(all) != 2 || len(store.deleted) != 1 {
		t.Errorf("in the next round: horizons %+v, %v; dropped from %v", all, err, store.deleted)
	}
}
