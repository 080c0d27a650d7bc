package sovereign

import (
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/lancedb/lancedb-go/pkg/contracts"
	"github.com/lancedb/lancedb-go/pkg/lancedb"

	"assay/sovereign/schema"
)

// The native library serves all of lancedb-go's Go API, also what this package does not call.
func TestLanceDBGo(t *testing.T) {
	connection, table := lanceTable(t, schema.Episodes)
	const rows = 300
	sample := sampleRows(t, schema.Episodes, 0, rows)
	if err := table.AddRecords(t.Context(), []arrow.Record{sample}, nil); err != nil {
		t.Fatal(err)
	}
	if n, err := table.Count(t.Context()); n != rows || err != nil {
		t.Errorf("%d rows, error %v", n, err)
	}
	got, err := table.Schema(t.Context())
	if err != nil || checkSchema(got, sample.Schema()) != nil {
		t.Errorf("schema %s, error %v", got, err)
	}
	for kind, column := range map[contracts.IndexType]string{
		contracts.IndexTypeBTree: "workflow_id", contracts.IndexTypeBitmap: "kind", contracts.IndexTypeFts: "text",
		contracts.IndexTypeIvfFlat: "vector",
	} {
		if err := table.CreateIndex(t.Context(), []string{column}, kind); err != nil {
			t.Errorf("index on %s: %v", column, err)
		}
	}
	if indexes, err := table.GetAllIndexes(t.Context()); len(indexes) != 4 || err != nil {
		t.Errorf("indexes %v, error %v", indexes, err)
	}
	expectRows := func(what string, found []map[string]any, err error, first string, count int) {
		t.Helper()
		if err != nil || len(found) != count || found[0]["episode_uuid"] != first {
			t.Errorf("%s: got %d rows, error %v; want %d, %s first", what, len(found), err, count, first)
		}
	}
	found, err := table.SelectWithFilter(t.Context(), "position = 7")
	expectRows("filter", found, err, "episode_uuid-7", 1)
	found, err = table.SelectWithLimit(t.Context(), 2, 10)
	expectRows("limit", found, err, "episode_uuid-10", 2)
	found, err = table.FullTextSearch(t.Context(), "text", "299")
	expectRows("text", found, err, "episode_uuid-299", 1)
	found, err = table.VectorSearch(t.Context(), "vector", sampleVector(8), 2)
	expectRows("vector", found, err, "episode_uuid-8", 2)

	version, err := table.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Update(t.Context(), "position = 7", map[string]any{"kind": "it's", "chunk": 5, "model": nil}); err != nil {
		t.Fatal(err)
	}
	found, err = table.SelectWithFilter(t.Context(), "kind = 'it''s' AND chunk = 5 AND model IS NULL")
	expectRows("update", found, err, "episode_uuid-7", 1)
	if err := table.Delete(t.Context(), "position < 100"); err != nil {
		t.Fatal(err)
	}
	if n, err := table.Count(t.Context()); n != rows-100 || err != nil {
		t.Errorf("%d rows after deleting 100, error %v", n, err)
	}
	if after, err := table.Version(t.Context()); after <= version || err != nil {
		t.Errorf("version %d after two writes on %d, error %v", after, version, err)
	}

	if err := connection.DropTable(t.Context(), schema.Episodes); err != nil {
		t.Fatal(err)
	}
	if names, err := connection.TableNames(t.Context()); len(names) != 0 || err != nil {
		t.Errorf("tables %v after dropping the only one, error %v", names, err)
	}
}

func TestLanceDBGoErrors(t *testing.T) {
	connection, table := lanceTable(t, schema.Shed)
	if _, err := connection.OpenTable(t.Context(), "nothing"); err == nil {
		t.Error("opened a table that is not there")
	}
	if err := connection.DropTable(t.Context(), "../shed"); err == nil {
		t.Error("dropped a table outside the database")
	}
	if err := table.Delete(t.Context(), "no such column = 1"); err == nil {
		t.Error("deleted by a filter that does not parse")
	}
	if _, err := lancedb.Connect(t.Context(), "s3://bucket/path", nil); err == nil {
		t.Error("connected to a bucket, for which the library is not built")
	}
}

// What lancedb-go writes is seen through a store, and the other way round.
func TestLanceDBGoAndStoreShareTables(t *testing.T) {
	store := openStore(t, t.TempDir())
	table := store.tables[schema.Shed].lance
	if err := table.Add(t.Context(), sampleRows(t, schema.Shed, 0, 2), nil); err != nil {
		t.Fatal(err)
	}
	expectCount(t, store, schema.Shed, schema.Filter{}, 2)
	if err := store.Append(t.Context(), schema.Shed, sampleRows(t, schema.Shed, 2, 3)); err != nil {
		t.Fatal(err)
	}
	if n, err := table.Count(t.Context()); n != 5 || err != nil {
		t.Errorf("%d rows, error %v; want 5", n, err)
	}
}

func lanceTable(t *testing.T, name string) (contracts.IConnection, contracts.ITable) {
	t.Helper()
	connection, err := lancedb.Connect(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
	})
	schema, err := lancedb.NewSchema(schema.ByName(name).Schema)
	if err != nil {
		t.Fatal(err)
	}
	table, err := connection.CreateTable(t.Context(), name, schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Close(); err != nil {
			t.Error(err)
		}
	})
	if names, err := connection.TableNames(t.Context()); !slices.Equal(names, []string{name}) || err != nil {
		t.Errorf("tables %v, error %v", names, err)
	}
	return connection, table
}
