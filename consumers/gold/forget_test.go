package gold

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"pgregory.net/rapid"

	"assay/consumers/gold/state"
	"assay/sovereign/schema"
	"assay/streams"
)

// drawWorkflows draws captures of the workflows w0, w1 and w; statements are about any of them.
func drawWorkflows(t *rapid.T) (captures []capture) {
	captures = drawCaptures(t)
	for i, s := range drawStatements(t) {
		captures = append(captures, s.capture(i))
	}
	return captures
}

func without(captures []capture, workflow string) []capture {
	return slices.DeleteFunc(slices.Clone(captures), func(c capture) bool { return c.Workflow == workflow })
}

// forgetAll has a workflow forgotten whose events are among the captures.
func forgetAll(g *Gold, captures []capture, workflow string) error {
	_, err := g.Forget(context.Background(), workflow, func(context.Context, []string) (*EraseScope, error) {
		own := slices.DeleteFunc(slices.Clone(captures), func(c capture) bool { return c.Workflow != workflow })
		return &EraseScope{Through: 1, Rows: inRecords(own)}, nil
	})
	return err
}

func inRecords(captures []capture) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		for part := range slices.Chunk(captures, 5) {
			r := record(part)
			defer r.Release()
			if !yield(r, nil) {
				return
			}
		}
	}
}

// What is left after a workflow is forgotten is what there would be if it had never come; a crash on the way changes
// nothing about that, nor does what is delivered again.
func TestForgettingLeavesWhatOthersSaid(t *testing.T) {
	crashes := 0
	rapid.Check(t, func(t *rapid.T) {
		captures := drawWorkflows(t)
		workflow := rapid.SampledFrom([]string{"w0", "w1"}).Draw(t, "workflow")
		never, forgetful := newProcess(t), newProcess(t)
		defer never.Close()
		never.run(t, [][][]capture{{without(captures, workflow)}})
		forgetful.run(t, drawDelivery(t, captures))
		forgetful.fault = crashAt(rapid.SampledFrom([]FaultPoint{state.AfterDelete, state.AfterForget, "no"}).Draw(t, "point"), 1)
		defer func() { forgetful.Close() }()
		for err := forgetAll(forgetful.Gold, captures, workflow); err != nil; err = forgetAll(forgetful.Gold, captures, workflow) {
			if !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			crashes++
			forgetful.crash(t)
		}
		forgetful.forgotten.Add(streams.Tombstone{Workflow: workflow, Through: 1})
		forgetful.run(t, drawDelivery(t, captures))
		if a, b := never.Totals(), forgetful.Totals(); a != b {
			t.Fatalf("counted %+v, without the workflow %+v", b, a)
		}
		for _, table := range []string{
			schema.Entities, schema.Episodes, schema.CapabilityMetrics, schema.UsageGraph, schema.Shed,
		} {
			sameTable(t, never.store, forgetful.store, table)
		}
		same(t, traced(t, never.store), traced(t, forgetful.store))
		if names, err := forgetful.Spellings(workflow); err != nil || len(names) > 0 {
			t.Fatalf("still known: %v, %v", names, err)
		}
	})
	if crashes == 0 {
		t.Error("no crash was tried")
	}
}

// traced returns which events traces has; which capture became the row depends on what came first.
func traced(t tester, store *memoryStore) map[string]string {
	rows, err := store.byKey(schema.Traces)
	if err != nil {
		t.Fatal(err)
	}
	events := map[string]string{}
	for id, row := range rows {
		events[id] = row["entity_uuid"]
	}
	return events
}

// A retraction that is forgotten no longer counts, and what another one has quarantined stays so.
func TestForgettingARetraction(t *testing.T) {
	said := (&statement{id: "ev-1", entity: "step-1", at: 1}).capture(0)
	child := (&statement{id: "ev-2", entity: "step-2", parent: "ev-1", at: 2}).capture(1)
	retraction := (&statement{id: "ev-3", entity: "other", retracts: []string{"ev-1"}, at: 3}).capture(2)
	retraction.Workflow = "elsewhere"
	all := []capture{said, child, retraction}

	store := newMemory()
	g := open(t, testOptions(store))
	defer g.Close()
	deliver(t, g, 1, [][]capture{all})
	flushAll(t, g)
	for _, step := range []struct {
		forget string
		marked int
	}{{"", 2}, {"elsewhere", 0}} {
		if step.forget != "" {
			if err := forgetAll(g, all, step.forget); err != nil {
				t.Fatal(err)
			}
			flushAll(t, g)
		}
		marked := 0
		for _, row := range store.tables[schema.Entities] {
			if row["quarantined_by"] != "" {
				marked++
			}
		}
		if marked != step.marked {
			t.Errorf("after forgetting %q %d entities are marked, want %d", step.forget, marked, step.marked)
		}
	}
}
