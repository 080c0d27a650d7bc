package gold

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/sovereign/schema"
)

// memoryStore is a Store that holds every row as its columns' texts and so shows exactly what Gold asked for: an append never
// looks for a key, so that a row appended twice is there twice.
type memoryStore struct {
	mu     sync.Mutex
	tables map[string][]map[string]string
	fail   func(call string) (before, after error) // of each call, if set
	calls  map[string]int
}

func newMemory() *memoryStore {
	return &memoryStore{tables: map[string][]map[string]string{}, calls: map[string]int{}}
}

// do does a call, unless it is to fail before.
func (m *memoryStore) do(call, table string, work func()) error {
	var before, after error
	if m.fail != nil {
		before, after = m.fail(call + " " + table)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[call+" "+table]++
	if before == nil {
		work()
	}
	return errors.Join(before, after)
}

func (m *memoryStore) Append(_ context.Context, table string, rows arrow.Record) error {
	if !rows.Schema().Equal(schema.ByName(table).Schema) {
		return fmt.Errorf("%s: schema %v", table, rows.Schema())
	}
	return m.do("append", table, func() { m.tables[table] = append(m.tables[table], texts(rows)...) })
}

func (m *memoryStore) Merge(_ context.Context, table string, rows arrow.Record) error {
	return m.do("merge", table, func() {
		key := schema.ByName(table).Key
		for _, row := range texts(rows) {
			same := func(r map[string]string) bool { return r[key] == row[key] }
			if i := slices.IndexFunc(m.tables[table], same); i >= 0 {
				m.tables[table][i] = row
			} else {
				m.tables[table] = append(m.tables[table], row)
			}
		}
	})
}

func (m *memoryStore) Delete(_ context.Context, table string, where schema.Filter) error {
	return m.do("delete", table, func() { m.tables[table] = slices.DeleteFunc(m.tables[table], holds(where)) })
}

func (m *memoryStore) Query(_ context.Context, q schema.Query) (array.RecordReader, error) {
	return nil, fmt.Errorf("query of %s was not expected", q.Table)
}

func (m *memoryStore) Count(_ context.Context, table string, where schema.Filter) (n int64, err error) {
	err = m.do("count", table, func() {
		for _, row := range m.tables[table] {
			if holds(where)(row) {
				n++
			}
		}
	})
	return n, err
}

// byKey returns the rows of a table by key and fails on a key that is there twice.
func (m *memoryStore) byKey(table string) (map[string]map[string]string, error) {
	rows := map[string]map[string]string{}
	key := schema.ByName(table).Key
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
	atMost  = regexp.MustCompile(`^(\w+) <= (\d+)$`)
	both    = regexp.MustCompile(`^\((.*)\) AND \((.*)\)$`)
	equals  = regexp.MustCompile(`^(\w+) = (\d+)$`)
	among   = regexp.MustCompile(`^(\w+) IN \((.*)\)$`)
)

// holds understands the filters that Gold uses.
func holds(where schema.Filter) func(map[string]string) bool {
	return condition(strings.NewReplacer(`"`, "", "`", "").Replace(where.SQL()))
}

func condition(sql string) func(map[string]string) bool {
	if m := both.FindStringSubmatch(sql); m != nil {
		a, b := condition(m[1]), condition(m[2])
		return func(row map[string]string) bool { return a(row) && b(row) }
	}
	if m := atMost.FindStringSubmatch(sql); m != nil {
		over := condition(m[1] + " > " + m[2])
		return func(row map[string]string) bool { return !over(row) }
	}
	if m := greater.FindStringSubmatch(sql); m != nil {
		return func(row map[string]string) bool {
			v, _ := strconv.Atoi(row[m[1]])
			bound, _ := strconv.Atoi(m[2])
			return v > bound
		}
	}
	if m := equals.FindStringSubmatch(sql); m != nil {
		return func(row map[string]string) bool { return row[m[1]] == m[2] }
	}
	if m := among.FindStringSubmatch(sql); m != nil {
		return func(row map[string]string) bool { return strings.Contains(m[2], "'"+row[m[1]]+"'") }
	}
	if sql == "false" {
		return func(map[string]string) bool { return false }
	}
	if sql != "" {
		panic("filter not understood: " + sql)
	}
	return func(map[string]string) bool { return true }
}
