package kernels

import (
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestUUID(t *testing.T) {
	for _, c := range []struct {
		namespace  uuid.UUID
		name, want string
	}{
		{uuid.NameSpaceDNS, "www.example.com", "2ed6657d-e927-568b-95e1-2665a8aea6a2"}, // RFC 9562, appendix A.4
		{uuid.NameSpaceDNS, "coreason.local", Namespace.String()},
		{Namespace, "intent-1|wf-1", "1cdacc33-d298-5473-a93a-77920f2c2dda"},
	} {
		if got := UUID(c.namespace, c.name).String(); got != c.want {
			t.Errorf("UUID(%v, %q) = %s, want %s", c.namespace, c.name, got, c.want)
		}
	}
}

// requireIDs requires the ids of the given names, as the usual library computes them; nil is null.
func requireIDs(t *rapid.T, ids *array.FixedSizeBinary, namespace uuid.UUID, names []*string) {
	if ids.Len() != len(names) {
		t.Fatalf("%d rows, want %d", ids.Len(), len(names))
	}
	for row, name := range names {
		if ids.IsNull(row) != (name == nil) {
			t.Fatalf("row %d: null is %v, want %v", row, ids.IsNull(row), name == nil)
		}
		if name == nil {
			continue
		}
		if want := uuid.NewSHA1(namespace, []byte(*name)); uuid.UUID(ids.Value(row)) != want {
			t.Fatalf("row %d: id of %+q is %x, want %v", row, *name, ids.Value(row), want)
		}
	}
}

func TestUUIDv5IsNewSHA1PerRow(t *testing.T) {
	checked(t, func(t *rapid.T, mem memory.Allocator) {
		names := drawTexts(t, drawRows(t), "names")
		namespace := uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "namespace"))
		column := textsColumn(t, mem, names)
		defer column.Release()
		ids, err := UUIDv5(mem, namespace, column)
		if err != nil {
			t.Fatal(err)
		}
		defer ids.Release()
		requireIDs(t, ids, namespace, names)
	})
}

func TestIdentifyIsUUIDOfNormalFormsPerRow(t *testing.T) {
	checked(t, func(t *rapid.T, mem memory.Allocator) {
		exact := rapid.Bool().Draw(t, "exact")
		rows, columns := drawColumns(t, mem)
		defer releaseAll(columns)
		ids, err := Identify(mem, Namespace, exact, columns...)
		if err != nil {
			t.Fatal(err)
		}
		defer ids.Release()

		names := make([]*string, len(rows))
		for row := range rows {
			names[row] = joined(rows[row], func(s string) string { return NormaliseString(s, exact) })
		}
		requireIDs(t, ids, Namespace, names)
	})
}

func FuzzUUID(f *testing.F) {
	f.Add(Namespace[:], "intent-1|wf-1")
	f.Fuzz(func(t *testing.T, namespace []byte, name string) {
		var ns uuid.UUID
		copy(ns[:], namespace)
		want := uuid.NewSHA1(ns, []byte(name))
		if got := UUID(ns, name); got != want {
			t.Errorf("UUID(%v, %q) = %v, want %v", ns, name, got, want)
		}
		names := repeat(name, 3)
		defer names.Release()
		ids := must(UUIDv5(memory.DefaultAllocator, ns, names))
		defer ids.Release()
		for row := range ids.Len() {
			if got := uuid.UUID(ids.Value(row)); got != want {
				t.Errorf("UUIDv5(%v, %q) row %d = %v, want %v", ns, name, row, got, want)
			}
		}
	})
}
