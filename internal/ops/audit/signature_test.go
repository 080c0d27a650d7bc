package audit

import (
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"go.uber.org/goleak"

	"assay/sovereign/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shedRows is a record of the table shed, from rows as JSON.
func shedRows(t *testing.T, rows string) arrow.Record {
	t.Helper()
	r, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema.ByName(schema.Shed).Schema, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSignaturesDifferWhereRowsDo(t *testing.T) {
	l := newLayout(schema.Shed)
	rows := shedRows(t, `[
		{"shed_id":"a","workflow_id":"w","kind":"k","count":1,"bytes":2},
		{"shed_id":"a","workflow_id":"w","kind":"k","count":1,"bytes":2},
		{"shed_id":"a","workflow_id":"w2","kind":"k","count":-1,"bytes":2},
		{"shed_id":"a","workflow_id":"","kind":"k","count":1,"bytes":0},
		{"shed_id":"a","workflow_id":null,"kind":"k","count":1,"bytes":null}
	]`)
	signs, err := newSigner(l, rows)
	if err != nil {
		t.Fatal(err)
	}
	var of [][]uint64
	for row := range int(rows.NumRows()) {
		of = append(of, signs.sign(nil, row))
	}
	for _, test := range []struct {
		a, b int
		want []string
	}{
		{0, 1, nil},
		{0, 2, []string{"workflow_id", "count"}},
		{3, 4, []string{"workflow_id", "bytes"}}, // an absent value is not an empty one
	} {
		if got := l.differing(of[test.a], of[test.b]); !slices.Equal(got, test.want) {
			t.Errorf("rows %d and %d differ in %v, want %v", test.a, test.b, got, test.want)
		}
	}
}

// No table has more columns than a signature can tell the presence of, and what numbers a buffer is not compared.
func TestLayoutsCoverTheTables(t *testing.T) {
	for _, table := range schema.All {
		l := newLayout(table.Name)
		if len(l.columns) > columnsMax {
			t.Errorf("%s has %d columns", table.Name, len(l.columns))
		}
		for _, f := range table.Schema.Fields() {
			proved := f.Name != silverSeq && (table.Name != schema.Traces || f.Name != partition) && (table.Name != schema.Promotions || slices.Contains(ofPromotion, f.Name))
			if slices.Contains(l.columns, f.Name) != proved {
				t.Errorf("%s.%s", table.Name, f.Name)
			}
		}
	}
}
