package promotion

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/sovereign/schema"
)

// memoryStore is a Store that is plainly right: rows by key, filters evaluated one row at a time.
type memoryStore struct {
	mu     sync.Mutex
	rows   map[string]arrow.Record // of one row each, by event_uuid
	merges int
}

func newMemoryStore() *memoryStore { return &memoryStore{rows: map[string]arrow.Record{}} }

func (s *memoryStore) Merge(_ context.Context, table string, rows arrow.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if table != schema.Promotions || !rows.Schema().Equal(schema.ByName(table).Schema) {
		return fmt.Errorf("rows do not fit the table %s", table)
	}
	s.merges++
	for i := range int(rows.NumRows()) {
		key := rows.Column(0).(*array.String).Value(i)
		s.rows[key] = rows.NewSlice(int64(i), int64(i+1))
	}
	return nil
}

// Append panics where a row would be there twice.
func (s *memoryStore) Append(ctx context.Context, table string, rows arrow.Record) error {
	s.mu.Lock()
	for i := range int(rows.NumRows()) {
		if key := rows.Column(0).(*array.String).Value(i); s.rows[key] != nil {
			panic("appended twice: " + key)
		}
	}
	s.mu.Unlock()
	return s.Merge(ctx, table, rows)
}

func (s *memoryStore) Query(_ context.Context, q schema.Query) (array.RecordReader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.find(q.Where)
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	return array.NewRecordReader(schema.ByName(q.Table).Schema, found)
}

func (s *memoryStore) Count(_ context.Context, _ string, where schema.Filter) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.find(where))), nil
}

// find returns the rows for which the filter holds, the latest first.
func (s *memoryStore) find(where schema.Filter) []arrow.Record {
	conditions := parse(where.SQL())
	var found []arrow.Record
	for _, r := range s.rows {
		if conditions.hold(r) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b arrow.Record) int { return strings.Compare(value(b, "ts"), value(a, "ts")) })
	return found
}

// conditions are the values that each of some columns may have.
type conditions map[string]map[string]bool

var (
	condition = regexp.MustCompile(`(\w+) (?:=|IN) (\([^)]*\)|'[^']*')`)
	literal   = regexp.MustCompile(`'([^']*)'`)
)

// parse understands conjunctions of what this package asks for: column = 'text' and column IN ('text', …).
func parse(sql string) conditions {
	all := conditions{}
	for _, c := range condition.FindAllStringSubmatch(sql, -1) {
		all[c[1]] = map[string]bool{}
		for _, l := range literal.FindAllStringSubmatch(c[2], -1) {
			all[c[1]][l[1]] = true
		}
	}
	return all
}

func (c conditions) hold(r arrow.Record) bool {
	for column, values := range c {
		if !values[value(r, column)] {
			return false
		}
	}
	return true
}

func value(r arrow.Record, column string) string {
	return r.Column(r.Schema().FieldIndices(column)[0]).ValueStr(0)
}

// Delete implements schema.Store.
func (s *memoryStore) Delete(_ context.Context, _ string, where schema.Filter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, found := range s.find(where) {
		delete(s.rows, found.Column(0).(*array.String).Value(0))
	}
	return nil
}
