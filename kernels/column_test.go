package kernels

import (
	"errors"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"pgregory.net/rapid"
)

// checked runs a property with an allocator that fails it for every byte not given back.
func checked(t *testing.T, property func(t *rapid.T, mem memory.Allocator)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		property(t, mem)
		mem.AssertSize(t, 0)
	})
}

// texts draws what keys are made of: short and long, ASCII and not, with what is trimmed, folded and escaped.
var texts = rapid.OneOf(
	rapid.StringOfN(rapid.RuneFrom([]rune("aZ09 |\\:\t\x1céİΣσ\u0301\u0331\u00a0中ẞ")), 0, 12, -1),
	rapid.StringMatching(`[A-Za-z0-9 _-]{0,80}`),
	rapid.String(),
)

// drawTexts draws the rows of a column; nil is null.
func drawTexts(t *rapid.T, rows int, label string) []*string {
	return rapid.SliceOfN(rapid.Ptr(texts, true), rows, rows).Draw(t, label)
}

// drawRows mostly draws few rows, and sometimes more than a word of a bitmap.
func drawRows(t *rapid.T) int {
	return rapid.OneOf(rapid.IntRange(0, 9), rapid.IntRange(63, 200)).Draw(t, "rows")
}

// sliced builds a column with other rows before and after, and cuts them off, so that its offset is not 0.
func sliced[B array.Builder](t *rapid.T, builder B, rows int, appendRow func(b B, row int)) arrow.Array {
	defer builder.Release()
	before := rapid.IntRange(0, 9).Draw(t, "rows before")
	for range before {
		builder.AppendEmptyValue()
	}
	for row := range rows {
		appendRow(builder, row)
	}
	builder.AppendNull()
	whole := builder.NewArray()
	defer whole.Release()
	return array.NewSlice(whole, int64(before), int64(before+rows))
}

func textsColumn(t *rapid.T, mem memory.Allocator, rows []*string) *array.String {
	return sliced(t, array.NewStringBuilder(mem), len(rows), func(b *array.StringBuilder, row int) {
		appendText(b, rows[row])
	}).(*array.String)
}

func appendText(b array.StringLikeBuilder, text *string) {
	if text == nil {
		b.AppendNull()
	} else {
		b.Append(*text)
	}
}

// requireTexts requires a column to hold the given rows, and to be a valid array.
func requireTexts(t *rapid.T, column *array.String, want []*string) {
	if column.Len() != len(want) {
		t.Fatalf("%d rows, want %d", column.Len(), len(want))
	}
	nulls := 0
	for row, text := range want {
		switch {
		case text == nil:
			nulls++
			if column.IsValid(row) {
				t.Fatalf("row %d is %q, want null", row, column.Value(row))
			}
		case column.IsNull(row):
			t.Fatalf("row %d is null, want %+q", row, *text)
		case column.Value(row) != *text:
			t.Fatalf("row %d is %+q, want %+q", row, column.Value(row), *text)
		}
	}
	if column.NullN() != nulls {
		t.Fatalf("%d nulls, want %d", column.NullN(), nulls)
	}
}

func TestTextColumnHasALimit(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	if _, err := newTextColumn(mem, 1, textBytesMax+1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("newTextColumn beyond the limit: %v", err)
	}
	column, err := newTextColumn(mem, 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer column.release()
	column.text = append(column.text, 'x')
	if err := column.grow(textBytesMax); !errors.Is(err, ErrTooLarge) {
		t.Errorf("grow beyond the limit: %v", err)
	}
}

func repeat(text string, rows int) *array.String {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for range rows {
		b.Append(text)
	}
	return b.NewStringArray()
}

func gateColumns(rows int) (*array.List, *array.Int64, *array.Float64, *array.Boolean) {
	lists := array.NewListBuilder(memory.DefaultAllocator, arrow.BinaryTypes.String)
	position, threshold := array.NewInt64Builder(memory.DefaultAllocator), array.NewFloat64Builder(memory.DefaultAllocator)
	sheddable := array.NewBooleanBuilder(memory.DefaultAllocator)
	for row := range rows {
		lists.Append(true)
		for _, token := range []string{"so", "uh", "um", "yes"} {
			lists.ValueBuilder().(*array.StringBuilder).Append(token)
		}
		position.Append(int64(row))
		threshold.Append(0.5)
		sheddable.Append(true)
	}
	return lists.NewListArray(), position.NewInt64Array(), threshold.NewFloat64Array(), sheddable.NewBooleanArray()
}
