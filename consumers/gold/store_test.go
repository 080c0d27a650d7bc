package gold

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/internal/tables"
)

// memoryStore is a Store that holds every row as its columns' texts and so shows exactly what Gold asked for: an append never
// looks for a key, so that a row appended twice is there twice.
type memoryStore struct {
	mu     sync.Mutex
	tables map[string][]map[string]string
	fail   func(call string) error // before each call, if set
	calls  map[string]int
}

func newMemory() *memoryStore {
	return &memoryStore{tables: map[string][]map[string]string{}, calls: map[string]int{}}
}

func (m *memoryStore) enter(call, table string) error {
	m.calls[call+" "+table]++
	if m.fail == nil {
		return nil
	}
	return m.fail(call + " " + table)
}

func (m *memoryStore) Append(_ context.Context, table string, rows arrow.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("append", table); err != nil {
		return err
	}
	if !rows.Schema().Equal(tables.ByName(table).Schema) {
		return fmt.Errorf("%s: schema %v", table, rows.Schema())
	}
	m.tables[table] = append(m.tables[table], texts(rows)...)
	return nil
}

func (m *memoryStore) Merge(_ context.Context, table string, rows arrow.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("merge", table); err != nil {
		return err
	}
	key := tables.ByName(table).Key
	for _, row := range texts(rows) {
		same := func(r map[string]string) bool { return r[key] == row[key] }
		if i := slices.IndexFunc(m.tables[table], same); i >= 0 {
			m.tables[table][i] = row
		} else {
			m.tables[table] = append(m.tables[table], row)
		}
	}
	return nil
}

func (m *memoryStore) Delete(_ context.Context, table string, where tables.Filter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("delete", table); err != nil {
		return err
	}
	m.tables[table] = slices.DeleteFunc(m.tables[table], holds(where))
	return nil
}

func (m *memoryStore) Query(_ context.Context, q tables.Query) (array.RecordReader, error) {
	return nil, fmt.Errorf("query of %s was not expected", q.Table)
}

func (m *memoryStore) Count(_ context.Context, table string, where tables.Filter) (n int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter("count", table); err != nil {
		return 0, err
	}
	for _, row := range m.tables[table] {
		if holds(where)(row) {
			n++
		}
	}
	return n, nil
}

// byKey returns the rows of a table by key and fails on a key that is there twice.
func (m *memoryStore) byKey(table string) (map[string]map[string]string, error) {
	rows := map[string]map[string]string{}
	key := tables.ByName(table).Key
	for _, row := range m.tables[table] {
		if rows[row[key]] != nil {
			return nil, fmt.Errorf("%s has %s %s twice", table, key, row[key])
		}
		rows[row[key]] = row
	}
	return rows, nil
}

func texts(record arrow.Record) []map[string]string {
	rows := make([]map[string]string, record.NumRows())
	for i := range rows {
		rows[i] = map[string]string{}
		for c, field := range record.Schema().Fields() {
			if column := record.Column(c); column.IsValid(i) {
				rows[i][field.Name] = column.ValueStr(i)
			}
		}
	}
	return rows
}

var (
	greater = regexp.MustCompile(`^(\w+) > (\d+)$`)
	among   = regexp.MustCompile(`^(\w+) IN \((.*)\)$`)
)

// holds understands the filters that Gold uses.
func holds(where tables.Filter) func(map[string]string) bool {
	sql := strings.NewReplacer(`"`, "", "`", "").Replace(where.SQL())
	if m := greater.FindStringSubmatch(sql); m != nil {
		return func(row map[string]string) bool {
			v, _ := strconv.Atoi(row[m[1]])
			bound, _ := strconv.Atoi(m[2])
			return v > bound
		}
	}
	if m := among.FindStringSubmatch(sql); m != nil {
		return func(row map[string]string) bool { return strings.Contains(m[2], "'"+row[m[1]]+"'") }
	}
	if sql != "" {
		panic("filter not understood: " + sql)
	}
	return func(map[string]string) bool { return true }
}
