package kernels

import (
	"errors"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"pgregory.net/rapid"
)

// chunk cuts a column anywhere.
func chunk(t *rapid.T, column arrow.Array) *arrow.Chunked {
	var chunks []arrow.Array
	for from := 0; from < column.Len(); {
		to := rapid.IntRange(from, column.Len()).Draw(t, "cut")
		chunks = append(chunks, array.NewSlice(column, int64(from), int64(to)))
		from = to
	}
	defer func() { release(chunks...) }()
	return arrow.NewChunked(column.DataType(), chunks)
}

func TestMapChunksIsTheKernelOverTheWhole(t *testing.T) {
	checked(t, func(t *rapid.T, mem memory.Allocator) {
		rows := rapid.IntRange(0, 20).Draw(t, "rows")
		left, right := drawTexts(t, rows, "left"), drawTexts(t, rows, "right")
		a, b := textsColumn(t, mem, left), textsColumn(t, mem, right)
		chunkedA, chunkedB := chunk(t, a), chunk(t, b)
		defer release(a, b)
		defer chunkedA.Release()
		defer chunkedB.Release()

		mapped, err := MapChunks(arrow.BinaryTypes.String, func(columns []arrow.Array) (arrow.Array, error) {
			return Join(mem, columns[0].(*array.String), columns[1].(*array.String))
		}, chunkedA, chunkedB)
		if err != nil {
			t.Fatal(err)
		}
		defer mapped.Release()
		whole := must(Join(mem, a, b))
		defer whole.Release()
		want := arrow.NewChunked(arrow.BinaryTypes.String, []arrow.Array{whole})
		defer want.Release()
		if !array.ChunkedEqual(mapped, want) {
			t.Fatalf("chunk by chunk %v, whole %v", mapped.Chunks(), whole)
		}
	})
}

func TestMapChunksPassesErrorsOn(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	chunks := []arrow.Array{repeat("x", 1), repeat("y", 2)}
	column := arrow.NewChunked(arrow.BinaryTypes.String, chunks)
	failure := errors.New("no")
	calls := 0
	_, err := MapChunks(arrow.BinaryTypes.String, func(columns []arrow.Array) (arrow.Array, error) {
		if calls++; calls == 2 {
			return nil, failure
		}
		return Normalise(mem, columns[0], false)
	}, column)
	if !errors.Is(err, failure) {
		t.Errorf("error of the kernel: %v", err)
	}
	shorter := arrow.NewChunked(arrow.BinaryTypes.String, chunks[:1])
	if _, err := MapChunks(arrow.BinaryTypes.String, nil, column, shorter); !errors.Is(err, ErrLength) {
		t.Errorf("columns of different length: %v", err)
	}
	if _, err := MapChunks(arrow.BinaryTypes.String, nil); !errors.Is(err, ErrLength) {
		t.Errorf("no column: %v", err)
	}
}
