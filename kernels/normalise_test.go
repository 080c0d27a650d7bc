package kernels

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"pgregory.net/rapid"
)

func normalised(rows []*string, exact bool) []*string {
	forms := make([]*string, len(rows))
	for row, text := range rows {
		if text != nil {
			form := NormaliseString(*text, exact)
			forms[row] = &form
		}
	}
	return forms
}

func TestNormaliseIsNormaliseStringPerRow(t *testing.T) {
	checked(t, func(t *rapid.T, mem memory.Allocator) {
		rows := drawTexts(t, drawRows(t), "texts")
		exact := rapid.Bool().Draw(t, "exact")
		short := textsColumn(t, mem, rows)
		long := sliced(t, array.NewLargeStringBuilder(mem), len(rows), func(b *array.LargeStringBuilder, row int) {
			appendText(b, rows[row])
		})
		defer release(short, long)
		for _, column := range []arrow.Array{short, long} {
			forms, err := Normalise(mem, column, exact)
			if err != nil {
				t.Fatal(err)
			}
			requireTexts(t, forms, normalised(rows, exact))
			forms.Release()
		}
	})
}

func TestNormaliseTakesDictionaries(t *testing.T) {
	checked(t, func(t *rapid.T, mem memory.Allocator) {
		values := drawTexts(t, rapid.IntRange(1, 9).Draw(t, "values"), "dictionary")
		indices := rapid.SliceOf(rapid.Ptr(rapid.IntRange(0, len(values)-1), true)).Draw(t, "indices")
		rows := make([]*string, len(indices))
		for row, index := range indices {
			if index != nil {
				rows[row] = values[*index]
			}
		}
		dictionary := textsColumn(t, mem, values)
		index := sliced(t, array.NewInt8Builder(mem), len(indices), func(b *array.Int8Builder, row int) {
			if indices[row] == nil {
				b.AppendNull()
			} else {
				b.Append(int8(*indices[row]))
			}
		})
		kind := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
		column := array.NewDictionaryArray(kind, index, dictionary)
		defer release(dictionary, index, column)

		forms, err := Normalise(mem, column, false)
		if err != nil {
			t.Fatal(err)
		}
		requireTexts(t, forms, normalised(rows, false))
		forms.Release()
	})
}

func TestNormaliseRefusesOtherTypes(t *testing.T) {
	numbers := array.NewInt64Builder(memory.DefaultAllocator).NewArray()
	if _, err := Normalise(memory.DefaultAllocator, numbers, false); !errors.Is(err, ErrType) {
		t.Errorf("numbers: %v", err)
	}
}

// The fast path must not be seen: for ASCII of every length it gives what the definition gives.
func TestFastPathIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.ByteRange(0, utf8.RuneSelf-1), 0, 40).Draw(t, "text"))
		n := normaliser{exact: rapid.Bool().Draw(t, "exact")}
		fast, ok := appendASCII([]byte("prefix"), text, n.exact)
		if want := "prefix" + string(n.unicode(text)); !ok || string(fast) != want {
			t.Fatalf("fast path of %q = %q, %v; want %q", text, fast, ok, want)
		}
	})
}

func FuzzNormalise(f *testing.F) {
	f.Add("  Café ΟΔΟΣ İ H\u0331 ")
	f.Add("\xff\x80É")
	f.Add("E" + strings.Repeat("\u0301", 70) + "Σ")
	f.Fuzz(func(t *testing.T, text string) {
		for _, exact := range []bool{false, true} {
			form := NormaliseString(text, exact)
			if again := NormaliseString(form, exact); again != form {
				t.Errorf("exact %v: the normal form of %+q is %+q, whose own is %+q", exact, text, form, again)
			}
			if utf8.ValidString(text) && !utf8.ValidString(form) {
				t.Errorf("exact %v: the normal form of %+q is not UTF-8: %+q", exact, text, form)
			}
		}
	})
}
