package gold

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
	"assay/sovereign/schema"
)

// applyTogether applies captures as batches that are numbered from a sequence on.
func applyTogether(to interface {
	Apply(ctx context.Context, batches []Batch) error
}, seq uint64, group [][]capture) error {
	batches := make([]Batch, len(group))
	for i, captures := range group {
		batches[i] = Batch{Seq: seq + uint64(i), Record: record(captures)}
		defer batches[i].Record.Release()
	}
	return to.Apply(context.Background(), batches)
}

// deliver applies captures in groups of batches, numbered from a sequence on, and returns the next one.
func deliver(t tester, g *Gold, seq uint64, groups ...[][]capture) uint64 {
	t.Helper()
	for _, group := range groups {
		if err := applyTogether(g, seq, group); err != nil {
			t.Fatal(err)
		}
		seq += uint64(len(group))
	}
	return seq
}

// dump returns all that the state holds of events, byte for byte: everything but how far it has come and what the tables
// lack. In place of an ordinal, which tells when something was first met, it has what the ordinal is of.
func dump(t tester, g *Gold) map[string]string {
	t.Helper()
	all, owners := map[string]string{}, map[string]string{}
	for _, kind := range []byte{
		model.KeyTotals, model.KeyWatermark, model.KeyOrdinal, model.KeyIdentity, model.KeyEntity, model.KeyOwnID, model.KeyMetric, model.KeyWorkflow, model.KeyElement, model.KeyTime, model.KeyShed,
		model.KeyHistory, model.KeyRecent,
	} {
		err := state.Scan(g.db, []byte{kind}, func(k, v []byte) (bool, error) {
			key, value := string(k), string(v)
			switch kind {
			case model.KeyWatermark:
				o, err := model.DecodeHighWatermark(v)
				if err != nil {
					return false, err
				}
				owners[string(model.NumberKey(model.KeyIdentity, ^o.Ordinal))] = key
				value = fmt.Sprint(o.Reached)
			case model.KeyOrdinal:
				ordinal, _ := binary.Uvarint(v)
				owners[string(model.NumberKey(model.KeyEntity, ordinal))] = key
				value = ""
			case model.KeyIdentity, model.KeyEntity:
				owner := owners[key[:model.NumberKeyLen]]
				if owner == "" {
					return false, fmt.Errorf("nothing has the ordinal of %q", key)
				}
				switch slot := key[model.NumberKeyLen]; {
				case kind == model.KeyIdentity:
					return true, dumpPlaced(all, key[:1]+owner, v)
				case slot == model.SlotFragments:
					return true, dumpPassage(all, key[:1]+owner, k[model.NumberKeyLen+1:], v)
				case slot == model.SlotEntityRows, slot == model.SlotEpisodeRows:
					return true, nil
				case slot == model.SlotState:
					e, err := model.DecodeEntity(v)
					if err != nil {
						return false, err
					}
					e.RowsAtFirst = 0 // what tables have depends on the cuts
					value = string(e.Encode())
				}
				key = key[:1] + owner + key[model.NumberKeyLen:]
			}
			all[key] = value
			return true, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// dumpPlaced adds the events of a block's record: which commit brought an event makes no difference, and of what several
// say of it the most counts.
func dumpPlaced(all map[string]string, owner string, record []byte) error {
	return model.EachPlaced(record, func(event uuid.UUID, known *model.Identity) {
		k := owner + string(event[:])
		was, err := model.DecodeIdentity([]byte(all[k]))
		if err != nil || model.RankDisposition(known.Disposition) > model.RankDisposition(was.Disposition) {
			all[k] = string(known.Encode())
		}
	})
}

// dumpPassage counts the pieces of a passage by themselves: which of them came together makes no difference.
func dumpPassage(all map[string]string, owner string, at, record []byte) error {
	pieces, err := model.DecodeFragmentRun(at, record)
	for _, p := range pieces {
		all[fmt.Sprintf("%s%c%v%s", owner, model.SlotFragments, p.At, p.Fragments)] += "1"
	}
	return err
}

// drawDelivery draws an order, repetitions and cuts of captures.
func drawDelivery(t *rapid.T, captures []capture) (groups [][][]capture) {
	order := rapid.Permutation(captures).Draw(t, "order")
	for range rapid.IntRange(0, 5).Draw(t, "repeats") {
		order = append(order, order[rapid.IntRange(0, len(order)-1).Draw(t, "repeated")])
	}
	for len(order) > 0 {
		var group [][]capture
		for range rapid.IntRange(1, 3).Draw(t, "batches") {
			n := min(rapid.IntRange(1, 8).Draw(t, "rows"), len(order))
			if n > 0 {
				group = append(group, order[:n])
			}
			order = order[n:]
		}
		groups = append(groups, group)
	}
	return groups
}

func TestFoldingDoesNotDependOnOrderCutsOrRepetition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		captures := drawCaptures(t)
		straight, shuffled := newMemory(), newMemory()
		a, b := open(t, testOptions(straight)), open(t, testOptions(shuffled))
		defer a.Close()
		defer b.Close()
		deliver(t, a, 1, [][]capture{captures})
		deliver(t, b, 1, drawDelivery(t, captures)...)
		same(t, dump(t, a), dump(t, b))
		for _, g := range []*Gold{a, b} {
			if err := g.FlushAll(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		for _, table := range []string{schema.Entities, schema.Episodes, schema.CapabilityMetrics, schema.UsageGraph, schema.Shed} {
			sameTable(t, straight, shuffled, table)
		}
		traces, err := shuffled.byKey(schema.Traces)
		if err != nil {
			t.Fatal(err)
		}
		if totals := b.Totals(); totals.Traces != uint64(len(traces)) {
			t.Fatalf("%d rows in traces, %d counted", len(traces), totals.Traces)
		}
	})
}

func same(t tester, a, b map[string]string) {
	t.Helper()
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if a[k] != b[k] {
			t.Fatalf("%q is\n%q and\n%q", k, a[k], b[k])
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			t.Fatalf("%q is there once and not the other time", k)
		}
	}
}

func sameTable(t tester, a, b *memoryStore, table string) {
	t.Helper()
	rowsA, errA := a.byKey(table)
	rowsB, errB := b.byKey(table)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	same(t, flatten(rowsA), flatten(rowsB))
}

func flatten(rows map[string]map[string]string) map[string]string {
	flat := map[string]string{}
	for k, row := range rows {
		flat[k] = fmt.Sprint(row)
	}
	return flat
}
