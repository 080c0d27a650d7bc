package gold

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
	"assay/kernels"
	"assay/sovereign/schema"
)

// statement is an event that has an id of its own, may name what caused it, and may take others back.
type statement struct {
	id, entity, parent string
	sources, retracts  []string
	at                 int64
}

func (s *statement) capture(position int) capture {
	c := capture{eventID: s.id, Event: model.Event{
		Kind: bronze.KindObservation, Workflow: "w", Stream: "s", Position: uint64(position), OwnID: true, Parent: s.parent,
		TS: epoch + s.at, Text: "statement " + s.id, InputTokens: -1, OutputTokens: -1, Bytes: 1,
	}}
	if s.sources != nil {
		c.Kind = bronze.KindPromotion
		c.Payload = listing("source_episodic_event_cids", s.sources)
	}
	if s.retracts != nil {
		c.Kind = bronze.KindCascade
		c.Payload = listing("quarantined_event_cids", s.retracts)
	}
	c = newCapture(c, s.key())
	c.ID = kernels.UUID(namespace, s.id)
	return c
}

// key is the natural key of the entity. An event without an intent is an entity of its own, which goes by the same id.
func (s *statement) key() string {
	if s.entity == s.id {
		return s.id
	}
	return s.entity + "|w"
}

func listing(key string, names []string) string {
	text, err := json.Marshal(map[string][]string{key: names})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func drawStatements(t *rapid.T) (all []*statement) {
	names := []string{"nobody"}
	for i := range rapid.IntRange(1, 12).Draw(t, "statements") {
		s := &statement{id: fmt.Sprintf("ev-%d", i), at: rapid.Int64Range(0, 3).Draw(t, "time")}
		if s.entity = s.id; rapid.IntRange(0, 2).Draw(t, "alone") > 0 {
			s.entity = fmt.Sprintf("step-%d", rapid.IntRange(0, 6).Draw(t, "entity"))
		}
		names = append(names, s.id, kernels.UUID(namespace, s.id).String(), s.entity, kernels.UUID(namespace, s.key()).String())
		all = append(all, s)
	}
	anyName, someNames := rapid.SampledFrom(names), rapid.SliceOfN(rapid.SampledFrom(names), 0, 3)
	for _, s := range all {
		switch rapid.IntRange(0, 5).Draw(t, "what") {
		case 0, 1, 2:
			s.parent = anyName.Draw(t, "parent")
		case 3:
			s.sources = someNames.Draw(t, "sources")
		case 4:
			s.retracts, s.entity = someNames.Draw(t, "retracts"), "retraction "+s.id
		}
	}
	return all
}

// whoseFault returns, by entity, the first retraction from which it can be reached, found the slow way.
func whoseFault(all []*statement) map[uuid.UUID]uuid.UUID {
	type node = uuid.UUID
	id := func(s *statement) node { return kernels.UUID(namespace, s.id) }
	entity := func(s *statement) node { return kernels.UUID(namespace, s.key()) }
	stands := func(name string) (nodes []node) {
		nodes = append(nodes, kernels.UUID(namespace, name))
		if parsed, err := uuid.Parse(name); err == nil {
			nodes = append(nodes, parsed)
		}
		return nodes
	}
	edges := map[node][]node{}
	for _, s := range all {
		edges[id(s)] = append(edges[id(s)], entity(s))
	}
	for _, s := range all {
		if s.retracts != nil {
			continue
		}
		for _, name := range append(slices.Clone(s.sources), s.parent) {
			for _, from := range stands(name) {
				edges[from] = append(edges[from], entity(s))
				for _, owner := range all {
					if id(owner) == from { // an entity stands or falls as a whole
						edges[entity(owner)] = append(edges[entity(owner)], entity(s))
					}
				}
			}
		}
	}
	faults := map[node]model.Stamp{}
	var reach func(node, model.Stamp)
	reach = func(n node, by model.Stamp) {
		if was, ok := faults[n]; ok && was.Compare(by) <= 0 {
			return
		}
		faults[n] = by
		for _, next := range edges[n] {
			reach(next, by)
		}
	}
	for _, s := range all {
		for _, name := range s.retracts {
			by := model.Stamp{TS: epoch + s.at, ID: id(s)}
			for _, n := range append(stands(name), kernels.UUID(namespace, name+"|w")) {
				reach(n, by)
			}
		}
	}
	by := map[node]uuid.UUID{}
	for _, s := range all {
		if fault, ok := faults[entity(s)]; ok {
			by[entity(s)] = fault.ID
		}
	}
	return by
}

// What was taken back is marked, with all that descends from it, whatever comes first; the tables show it.
func TestRetractionsReachWhatDescends(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawStatements(t)
		var captures []capture
		for i, s := range all {
			captures = append(captures, s.capture(i))
		}
		straight, shuffled := newMemory(), newMemory()
		a, b := open(t, testOptions(straight)), open(t, testOptions(shuffled))
		defer a.Close()
		defer b.Close()
		deliver(t, a, 1, [][]capture{captures})
		seq := uint64(1)
		for _, group := range drawDelivery(t, captures) {
			seq = deliver(t, b, seq, group)
			if rapid.Bool().Draw(t, "flush") {
				flushAll(t, b)
			}
		}
		flushAll(t, a)
		flushAll(t, b)
		same(t, dumpLineage(t, a), dumpLineage(t, b))
		sameTable(t, straight, shuffled, schema.Entities)
		sameTable(t, straight, shuffled, schema.Episodes)

		faults := whoseFault(all)
		for _, row := range shuffled.tables[schema.Entities] {
			want := ""
			if by, ok := faults[uuid.MustParse(row["entity_uuid"])]; ok {
				want = by.String()
			}
			if row["quarantined_by"] != want {
				t.Fatalf("entity %s is quarantined by %q, want %q", row["entity_uuid"], row["quarantined_by"], want)
			}
		}
	})
}

// What came before its cause is reached through it, also where the cause is an entity of its own.
func TestRetractionReachesWhatCameBeforeItsCause(t *testing.T) {
	for _, entity := range []string{"step", "cause"} {
		g := open(t, testOptions(newMemory()))
		defer g.Close()
		seq := uint64(1)
		for i, s := range []*statement{
			{id: "effect", entity: "effect", parent: "cause"},
			{id: "cause", entity: entity},
			{id: "retraction", entity: "retraction", retracts: []string{"cause"}},
		} {
			seq = deliver(t, g, seq, [][]capture{{s.capture(i)}})
		}
		by, err := g.QuarantinedBy(kernels.UUID(namespace, "effect"))
		if want := kernels.UUID(namespace, "retraction"); by != want || err != nil {
			t.Errorf("cause of entity %s: its effect is quarantined by %v, error %v; want %v", entity, by, err, want)
		}
	}
}

func flushAll(t tester, g *Gold) {
	t.Helper()
	if err := g.FlushAll(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// dumpLineage returns all that the state holds about descent.
func dumpLineage(t tester, g *Gold) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, kind := range []byte{model.KeyDescent, model.KeyAwaited, model.KeySeed, model.KeyQuarantine, model.KeyReached} {
		if err := state.Scan(g.db, []byte{kind}, func(k, v []byte) (bool, error) {
			all[string(k)] = string(v)
			return true, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestACrashDoesNotKeepRetractionsFromSpreading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var captures []capture
		for i, s := range drawStatements(t) {
			captures = append(captures, s.capture(i))
		}
		groups := drawDelivery(t, captures)
		undisturbed, crashed := newProcess(t), newProcess(t)
		defer undisturbed.Close()
		undisturbed.run(t, groups)
		crashed.fault = crashAt(state.AfterCommit, rapid.IntRange(1, 3).Draw(t, "time"))
		crashed.run(t, groups)
		defer func() { crashed.Close() }()
		same(t, dumpLineage(t, undisturbed.Gold), dumpLineage(t, crashed.Gold))
		equal(t, undisturbed, crashed)
	})
}
