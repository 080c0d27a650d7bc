package chaos

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"assay/sovereign"
	"assay/sovereign/schema"
)

// Snapshot is what the tables hold, by table and key, and DEAD, by raw bytes.
type Snapshot map[string]map[string][]string

// differencesMax bounds how many differences of a table are told.
const differencesMax = 5

// free lists the columns that may differ between two runs on the same input: where a row was first met, and vectors,
// which are a function of the text.
var free = []string{"bronze_seq", "silver_seq", "vector"}

// taken lists the tables that a snapshot holds. What became of promotions depends on when the registry was asked.
var taken = []string{schema.Traces, schema.Entities, schema.Episodes, schema.CapabilityMetrics, schema.UsageGraph, schema.Shed}

// snapshot reads the tables, which no program uses, with LanceDB and nothing else.
func (r *Run) snapshot(ctx context.Context) (Snapshot, error) {
	root := cmp.Or(r.Bucket, filepath.Join(r.Program.Data, "sovereign"))
	store, err := sovereign.Open(ctx, root, sovereign.Options{Bucket: r.Reached})
	if err != nil {
		return nil, err
	}
	s := Snapshot{}
	for _, name := range taken {
		if s[name], err = readTable(ctx, store, schema.ByName(name)); err != nil {
			_ = store.Close() // the first error says more
			return nil, err
		}
	}
	return s, store.Close()
}

// readTable returns the rows by key; a key that is there twice has two.
func readTable(ctx context.Context, store *sovereign.Store, table *schema.Table) (map[string][]string, error) {
	var columns []string
	for _, field := range table.Schema.Fields() {
		if !slices.Contains(free, field.Name) {
			columns = append(columns, field.Name)
		}
	}
	reader, err := store.Query(ctx, schema.Query{Table: table.Name, Columns: columns})
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	rows := map[string][]string{}
	for reader.Next() {
		record := reader.Record()
		key := slices.Index(columns, table.Key)
		for row := range int(record.NumRows()) {
			id := strings.Clone(record.Column(key).ValueStr(row)) // the record's memory ends with it
			rows[id] = append(rows[id], renderRow(record, row))
		}
	}
	return rows, reader.Err()
}

func renderRow(record arrow.Record, row int) string {
	var b strings.Builder
	for i, field := range record.Schema().Fields() {
		fmt.Fprintf(&b, "%s=%s\x1f", field.Name, record.Column(i).ValueStr(row))
	}
	return b.String()
}

// Duplicates lists the keys that a table has more than once.
func (s Snapshot) Duplicates() (found []string) {
	for _, table := range taken {
		for _, key := range slices.Sorted(maps.Keys(s[table])) {
			if n := len(s[table][key]); n > 1 {
				found = append(found, fmt.Sprintf("%s has %s %d times", table, key, n))
			}
		}
	}
	return shorten(found)
}

// Differences tells how s differs from an undisturbed run.
func (s Snapshot) Differences(undisturbed Snapshot) (found []string) {
	for _, table := range taken {
		var here []string
		for _, key := range slices.Sorted(maps.Keys(undisturbed[table])) {
			want := undisturbed[table][key][0]
			switch got := s[table][key]; {
			case len(got) == 0:
				here = append(here, fmt.Sprintf("%s lacks %s: %s", table, key, brief(want)))
			case got[0] != want:
				here = append(here, fmt.Sprintf("%s has another %s: %s", table, key, columnsThatDiffer(got[0], want)))
			}
		}
		for _, key := range slices.Sorted(maps.Keys(s[table])) {
			if _, ok := undisturbed[table][key]; !ok {
				here = append(here, fmt.Sprintf("%s should not have %s: %s", table, key, brief(s[table][key][0])))
			}
		}
		found = append(found, shorten(here)...)
	}
	return found
}

func columnsThatDiffer(got, want string) string {
	a, b := strings.Split(got, "\x1f"), strings.Split(want, "\x1f")
	var columns []string
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			columns = append(columns, brief(a[i])+", undisturbed "+brief(b[i]))
		}
	}
	return strings.Join(columns, "; ")
}

func shorten(found []string) []string {
	if n := len(found); n > differencesMax {
		return append(found[:differencesMax:differencesMax], fmt.Sprintf("… and %d more of the kind", n-differencesMax))
	}
	return found
}

// brief is the beginning of a text.
func brief(text string) string {
	const runes = 300
	text = strings.ReplaceAll(text, "\x1f", " ")
	if short := []rune(text); len(short) > runes {
		return string(short[:runes]) + "…"
	}
	return text
}
