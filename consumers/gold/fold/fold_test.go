package fold

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/project"
	"assay/consumers/gold/state"
	"assay/sovereign/schema"
)

// traces is a store of which a test tells how many rows traces has that the state does not know.
type traces struct {
	schema.Store
	rows    int64
	deletes []string
}

func (s *traces) Count(context.Context, string, schema.Filter) (int64, error) { return s.rows, nil }

func (s *traces) Delete(_ context.Context, table string, where schema.Filter) error {
	s.deletes = append(s.deletes, table+": "+where.SQL())
	return nil
}

// embedder is one that has nothing to embed.
type embedder struct{ schema.Embedder }

func (embedder) Dimensions() int { return 4 }

// fataler is a test or a property.
type fataler interface {
	Fatal(args ...any)
	Cleanup(func())
}

func openEngine(t fataler, disk vfs.FS, opts Options) *Engine {
	opts.Logger, opts.Now = slog.New(slog.DiscardHandler), time.Now
	db, err := state.Open("state", disk, 16<<20, nil, opts.Logger)
	if err != nil {
		t.Fatal(err)
	}
	tables := project.New(db, project.Options{Store: opts.Store, Embedder: embedder{}, Logger: opts.Logger, Now: opts.Now})
	t.Cleanup(func() {
		tables.Release()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	})
	return New(db, tables, opts)
}

// A state begins once, where traces is empty. What was appended and not committed goes, and it is looked for no further than needed.
func TestResume(t *testing.T) {
	for name, c := range map[string]struct {
		was     *model.Progress
		late    bool
		rows    int64
		want    error
		deletes int
	}{
		"the first time":              {},
		"the state was lost":          {rows: 1, want: ErrStateLost},
		"of another version":          {was: &model.Progress{Version: model.StateVersion + 1, Epoch: "a"}, want: ErrVersion},
		"all was committed":           {was: &model.Progress{Version: model.StateVersion, Epoch: "a", Applied: 7}},
		"an append was not committed": {was: &model.Progress{Version: model.StateVersion, Epoch: "a", Applied: 7}, rows: 3, deletes: 1},
		"an append may still come about in a store far away": {was: &model.Progress{Version: model.StateVersion, Epoch: "a", Applied: 7}, late: true, deletes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			store := &traces{rows: c.rows}
			e := openEngine(t, vfs.NewMem(), Options{Store: store, Epoch: "a", Late: c.late})
			if c.was != nil {
				e.DB.Progress = *c.was
				if err := e.saveProgress(); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.Resume(t.Context()); !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if len(store.deletes) != c.deletes || c.deletes > 0 && !strings.Contains(store.deletes[0], "> 7") {
				t.Errorf("rows were deleted %d times, want %d: %q", len(store.deletes), c.deletes, store.deletes)
			}
		})
	}
}

// SILVER that was created anew counts from one again: what was applied of the one before is the base from then on, once.
func TestResumeInAnotherEpoch(t *testing.T) {
	disk := vfs.NewMem()
	first := openEngine(&ended{T: t}, disk, Options{Store: &traces{}, Epoch: "a"})
	if err := first.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.DB.Progress.Applied = 40
	if err := errors.Join(first.saveProgress(), first.DB.Close()); err != nil {
		t.Fatal(err)
	}
	second := openEngine(t, disk, Options{Store: &traces{}, Epoch: "b"})
	for range 2 {
		if err := second.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p := second.DB.Progress; p.Epoch != "b" || p.Base != 40 || p.Applied != 40 {
			t.Fatalf("progress is %+v", p)
		}
	}
}

// ended is a test that closes what it opens by itself.
type ended struct{ *testing.T }

func (*ended) Cleanup(func()) {}

// Whatever comes, goes and moves, in whatever groups: the edges "follows" are those between the neighbours that a workflow's calls have
// in the end.
func TestFollowsIsTheOrderOfCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := openEngine(t, vfs.NewMem(), Options{Store: &traces{}})
		workflow := model.ElementKey{Source: model.Node{Kind: model.NodeWorkflow, Name: "wf"}}
		calls, counts := map[model.TimeKey]string{}, map[model.ElementKey]int64{}
		for range rapid.IntRange(1, 6).Draw(t, "groups") {
			change := &model.ElementDelta{Removed: map[model.TimeKey]model.Node{}, Added: map[model.TimeKey]model.Node{}}
			for range rapid.IntRange(1, 8).Draw(t, "changes") {
				at := model.TimeKey{At: rapid.Int64Range(0, 12).Draw(t, "at"), Entity: uuid.UUID{15: 1}}
				name := rapid.SampledFrom([]string{"", "read", "write"}).Draw(t, "capability") // "": the call goes
				was, known := calls[at]
				if _, changed := change.Added[at]; changed || name == "" && !known {
					continue
				}
				if known {
					change.Removed[at] = capability(was)
					delete(calls, at)
				}
				if name != "" {
					change.Added[at] = capability(name)
					calls[at] = name
				}
			}
			followGroup(t, e, workflow, change, counts)
		}
		want := map[model.ElementKey]int64{}
		order := slices.SortedFunc(maps.Keys(calls), func(a, b model.TimeKey) int { return int(a.At - b.At) })
		for i := 1; i < len(order); i++ {
			want[follows(calls[order[i-1]], calls[order[i]])]++
		}
		maps.DeleteFunc(counts, func(_ model.ElementKey, n int64) bool { return n == 0 })
		if !maps.Equal(counts, want) {
			t.Fatalf("edges %v, want %v for %v", counts, want, calls)
		}
	})
}

func capability(name string) model.Node { return model.Node{Kind: model.NodeCapability, Name: name} }

func follows(from, to string) model.ElementKey {
	return model.ElementKey{Source: capability(from), Target: capability(to), Relation: model.RelationFollows}
}

// followGroup commits one group's change of a workflow's calls, and adds up what it does to the edges.
func followGroup(t *rapid.T, e *Engine, workflow model.ElementKey, change *model.ElementDelta, counts map[model.ElementKey]int64) {
	f := e.NewTx()
	defer f.Close()
	f.Delta.Elements[workflow] = change
	err := errors.Join(f.follow(), f.writeMoments(workflow.ID(e.sums), workflow, change))
	if err == nil {
		err = e.DB.Commit(f.writes, pebble.NoSync)
	}
	if err != nil {
		t.Fatal(err)
	}
	for el, delta := range f.Delta.Elements {
		if el.Relation == model.RelationFollows {
			counts[el] += delta.Count
		}
	}
}
