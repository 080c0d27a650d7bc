package sovereign

import (
	"fmt"
	"maps"
	"os"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"pgregory.net/rapid"

	"assay/sovereign/schema"
)

// keysMax is how many different keys the model test uses: few, so that its steps meet each other's rows.
const keysMax = 40

// Whatever the order of writes, upkeep and restarts, a table holds what a map would.
func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		m := &model{t: t, dir: dir, store: openStore(t, dir), rows: map[string]int64{}}
		rt.Repeat(map[string]func(*rapid.T){
			"append":   m.append,
			"merge":    m.merge,
			"delete":   m.delete,
			"optimise": func(rt *rapid.T) { m.must(rt, m.store.Optimise(t.Context(), schema.Entities)) },
			"index":    func(rt *rapid.T) { m.must(rt, m.store.EnsureIndexes(t.Context())) },
			"reopen":   m.reopen,
			"":         m.check,
		})
		m.must(rt, m.store.Close())
	})
}

// model is a table of entities beside a map from their key to their first_position.
type model struct {
	t     *testing.T
	dir   string
	store *Store
	rows  map[string]int64
	next  int64 // a value that no row has yet
}

func (m *model) append(rt *rapid.T) {
	var keys []string
	for _, key := range m.someKeys(rt) {
		if _, there := m.rows[key]; !there {
			keys = append(keys, key)
		}
	}
	m.must(rt, m.store.Append(m.t.Context(), schema.Entities, m.newRows(keys)))
}

func (m *model) merge(rt *rapid.T) {
	m.must(rt, m.store.Merge(m.t.Context(), schema.Entities, m.newRows(m.someKeys(rt))))
}

func (m *model) delete(rt *rapid.T) {
	keys := m.someKeys(rt)
	m.must(rt, m.store.Delete(m.t.Context(), schema.Entities, schema.In("entity_uuid", keys...)))
	for _, key := range keys {
		delete(m.rows, key)
	}
}

func (m *model) reopen(rt *rapid.T) {
	m.must(rt, m.store.Close())
	m.store = openStore(m.t, m.dir)
}

// check compares all rows, and the rows found by an indexed column, with the map.
func (m *model) check(rt *rapid.T) {
	all := readAll(m.t, m.store, schema.Query{Table: schema.Entities, Columns: []string{"entity_uuid", "first_position"}})
	if got := pairs(all); !maps.Equal(got, m.rows) || all.NumRows() != int64(len(m.rows)) {
		rt.Fatalf("the table has %d rows %v, the map %v", all.NumRows(), got, m.rows)
	}
	key := m.someKeys(rt)[0]
	n, err := m.store.Count(m.t.Context(), schema.Entities, schema.Eq("entity_uuid", key))
	m.must(rt, err)
	if _, there := m.rows[key]; there != (n == 1) || n > 1 {
		rt.Fatalf("%s is in the map: %t, in the table: %d times", key, there, n)
	}
}

func (m *model) someKeys(rt *rapid.T) []string {
	numbers := rapid.SliceOfNDistinct(rapid.IntRange(0, keysMax-1), 1, keysMax/2, rapid.ID).Draw(rt, "keys")
	keys := make([]string, len(numbers))
	for i, number := range numbers {
		keys[i] = fmt.Sprintf("entity-%d", number)
	}
	return keys
}

// newRows makes rows with these keys and new values, in the table's form and in the map.
func (m *model) newRows(keys []string) arrow.Record {
	rows := sampleRows(m.t, schema.Entities, 0, len(keys))
	uuids, positions := array.NewStringBuilder(checkedAllocator(m.t)), array.NewInt64Builder(checkedAllocator(m.t))
	defer uuids.Release()
	defer positions.Release()
	for _, key := range keys {
		m.next++
		m.rows[key] = m.next
		uuids.Append(key)
		positions.Append(m.next)
	}
	rows = withColumn(m.t, rows, "entity_uuid", uuids.NewArray())
	return withColumn(m.t, rows, "first_position", positions.NewArray())
}

func (m *model) must(rt *rapid.T, err error) {
	if err != nil {
		rt.Fatal(err)
	}
}

func pairs(rows arrow.Record) map[string]int64 {
	values := rows.Column(1).(*array.Int64)
	list := map[string]int64{}
	for i, key := range texts(rows, "entity_uuid") {
		list[key] = values.Value(i)
	}
	return list
}
