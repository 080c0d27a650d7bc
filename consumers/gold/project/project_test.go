package project

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
	"assay/consumers/silver"
	"assay/sovereign/schema"
)

// written notes which rows were written to traces, by their positions.
type written struct {
	schema.Store
	appended, merged []int64
	err              error
}

func (s *written) Append(_ context.Context, _ string, rows arrow.Record) error {
	s.appended = append(s.appended, positions(rows)...)
	return s.err
}

func (s *written) Merge(_ context.Context, _ string, rows arrow.Record) error {
	s.merged = append(s.merged, positions(rows)...)
	return s.err
}

func positions(rows arrow.Record) []int64 {
	at := rows.Schema().FieldIndices(silver.ColPosition)[0]
	return slices.Clone(rows.Column(at).(*array.Int64).Int64Values())
}

// rowsOfSilver are rows without anything but their positions.
func rowsOfSilver(from, n int) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, silver.Schema)
	defer b.Release()
	for i, field := range silver.Schema.Fields() {
		for row := range n {
			if position, ok := b.Field(i).(*array.Int64Builder); ok && field.Name == silver.ColPosition {
				position.Append(int64(from + row))
			} else {
				b.Field(i).AppendEmptyValue()
			}
		}
	}
	return b.NewRecord()
}

// Of a group's records traces gets exactly the rows that are wanted, in their order: those of messages that come late by a merge, which may
// be repeated, all others by an append.
func TestTracesGetWhatIsWanted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := &written{}
		tables := New(nil, Options{Store: store})
		rows, next := TraceRows{Partition: -1}, 0
		var appended, merged []int64
		for range rapid.IntRange(0, 4).Draw(t, "records") {
			n, late := rapid.IntRange(1, 20).Draw(t, "rows"), rapid.Bool().Draw(t, "late")
			record := rowsOfSilver(next, n)
			defer record.Release()
			part := rows.Begin(record, 1, late)
			for row := range n {
				if !rapid.Bool().Draw(t, "wanted") {
					continue
				}
				part.Add(row)
				if late {
					merged = append(merged, int64(next+row))
				} else {
					appended = append(appended, int64(next+row))
				}
			}
			next += n
		}
		if err := tables.AppendTraces(t.Context(), &rows); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(store.appended, appended) || !slices.Equal(store.merged, merged) {
			t.Fatalf("appended %v, merged %v; want %v and %v", store.appended, store.merged, appended, merged)
		}
	})
}

// What the store says of a failure is passed on as the store's, so that the group is tried again and is no fault of a message.
func TestAFailedAppendIsTheStores(t *testing.T) {
	full := errors.New("no room")
	tables := New(nil, Options{Store: &written{err: full}})
	record := rowsOfSilver(0, 1)
	defer record.Release()
	rows := TraceRows{Partition: -1}
	rows.Begin(record, 1, false).Add(0)
	if err := tables.AppendTraces(t.Context(), &rows); !errors.Is(err, ErrStore) || !errors.Is(err, full) {
		t.Errorf("error %v, want %v of %v", err, full, ErrStore)
	}
}

// However many entities there are, all their episodes are marked, in writes of a limited size.
func TestRewriteEpisodesMarksAll(t *testing.T) {
	db, err := state.Open("state", vfs.NewMem(), 16<<20, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const entities = 2*rewriteMarks + 1
	writes := db.NewBatch()
	for i := range entities {
		var id uuid.UUID
		binary.BigEndian.PutUint32(id[:], uint32(i))
		if err := writes.Set(model.Key(model.KeyOrdinal, id), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Commit(writes, pebble.NoSync), writes.Close()); err != nil {
		t.Fatal(err)
	}
	tables := New(db, Options{Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	if err := tables.RewriteEpisodes(t.Context()); err != nil {
		t.Fatal(err)
	}
	marked := 0
	err = state.Scan(db, []byte{model.KeyDirty, state.DirtyEpisode}, func([]byte, []byte) (bool, error) { marked++; return true, nil })
	if err != nil || marked != entities {
		t.Errorf("%d of %d are marked, error %v", marked, entities, err)
	}
}
