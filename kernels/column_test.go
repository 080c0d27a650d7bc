package kernels

import (
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

func repeat(text string, rows int) *array.String {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for range rows {
		b.Append(text)
	}
	return b.NewStringArray()
}
