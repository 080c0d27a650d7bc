package erase

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"assay/consumers/gold/fold"
	"assay/consumers/gold/model"
	"assay/consumers/gold/project"
	"assay/consumers/gold/state"
	"assay/sovereign/schema"
)

// deleted notes what was deleted from the tables.
type deleted struct {
	schema.Store
	from []string
}

func (s *deleted) Count(context.Context, string, schema.Filter) (int64, error) { return 0, nil }

func (s *deleted) Delete(_ context.Context, table string, where schema.Filter) error {
	s.from = append(s.from, table+": "+where.SQL())
	return nil
}

// embedder is one that has nothing to embed.
type embedder struct{ schema.Embedder }

func (embedder) Dimensions() int { return 4 }

// open opens a state that knows workflows by their spellings.
func open(t *testing.T, store schema.Store, fault state.Faults, spellings ...string) (*fold.Engine, *project.Tables) {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	db, err := state.Open("state", vfs.NewMem(), 16<<20, nil, logger)
	if err != nil {
		t.Fatal(err)
	}
	writes := db.NewBatch()
	for _, spelling := range spellings {
		count := model.TraceCount{Events: 1}
		if err := writes.Set(model.TraceCountKey(spelling), count.Encode(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Commit(writes, pebble.NoSync), writes.Close()); err != nil {
		t.Fatal(err)
	}
	tables := project.New(db, project.Options{Store: store, Embedder: embedder{}, Logger: logger, Now: time.Now, Fault: fault})
	t.Cleanup(func() {
		tables.Release()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return fold.New(db, tables, fold.Options{Store: store, Logger: logger, Now: time.Now, Fault: fault}), tables
}

func noRows(func(arrow.Record, error) bool) {}

// Who forgets a workflow is told all its spellings before a row is gone, and rows of all of them go, no later ones.
func TestForgetTakesAllSpellings(t *testing.T) {
	store := &deleted{}
	engine, tables := open(t, store, nil, "WF-1", "wf-1 ", "wf-2")
	_, err := Forget(t.Context(), engine, tables, "wf-1", func(_ context.Context, spellings []string) (*Scope, error) {
		if slices.Sort(spellings); !slices.Equal(spellings, []string{"WF-1", "wf-1 "}) {
			t.Errorf("spellings are %q", spellings)
		}
		if len(store.from) > 0 {
			t.Errorf("rows went before the tombstone: %q", store.from)
		}
		return &Scope{Through: 9, Spellings: []string{"Wf-1"}, Rows: noRows}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(store.from) != 1 {
		t.Fatalf("deleted from %q", store.from)
	}
	for _, part := range []string{schema.Traces + ":", "'WF-1'", "'wf-1 '", "'Wf-1'", "<= 9"} {
		if !strings.Contains(store.from[0], part) {
			t.Errorf("%q lacks %q", store.from[0], part)
		}
	}
}

// Without its tombstone nothing is forgotten, for it would come back.
func TestWithoutATombstoneNothingGoes(t *testing.T) {
	store, refused := &deleted{}, errors.New("no tombstone")
	engine, tables := open(t, store, nil, "wf-1")
	_, err := Forget(t.Context(), engine, tables, "wf-1", func(context.Context, []string) (*Scope, error) { return nil, refused })
	if !errors.Is(err, refused) || len(store.from) > 0 {
		t.Errorf("error %v, want %v; deleted from %q", err, refused, store.from)
	}
	known, err := state.Spellings(engine.DB, "wf-1")
	if err != nil || len(known) != 1 {
		t.Errorf("the workflow is known as %q, error %v", known, err)
	}
}

// Stopped after the state has forgotten, it leaves rows in traces; the same call again takes them.
func TestForgetMayBeRepeated(t *testing.T) {
	store, stop, stopped := &deleted{}, true, errors.New("stopped")
	engine, tables := open(t, store, func(at state.FaultPoint) error {
		if at == state.AfterForget && stop {
			return stopped
		}
		return nil
	}, "wf-1")
	bury := func(context.Context, []string) (*Scope, error) {
		return &Scope{Through: 9, Spellings: []string{"wf-1"}, Rows: noRows}, nil
	}
	if _, err := Forget(t.Context(), engine, tables, "wf-1", bury); !errors.Is(err, stopped) || len(store.from) > 0 {
		t.Fatalf("error %v, want %v; deleted from %q", err, stopped, store.from)
	}
	stop = false
	if _, err := Forget(t.Context(), engine, tables, "wf-1", bury); err != nil || len(store.from) != 1 {
		t.Errorf("error %v; deleted from %q", err, store.from)
	}
}
