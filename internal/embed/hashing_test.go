package embed

import (
	"context"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func embedOne(t interface{ Fatal(...any) }, text string) []float32 {
	vectors, err := Hashing{}.Embed(context.Background(), []string{text})
	if err != nil {
		t.Fatal(err)
	}
	return vectors[0]
}

func cosine(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestEveryVectorHasLengthOneAndDependsOnTheTextAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		v := embedOne(t, text)
		if len(v) != Dimensions {
			t.Fatalf("%d dimensions", len(v))
		}
		if length := cosine(v, v); length != 0 && math.Abs(length-1) > 1e-5 {
			t.Fatalf("length² %v", length)
		}
		if !slices.Equal(v, embedOne(t, text)) {
			t.Fatal("another vector the second time")
		}
	})
}

func TestTextsThatShareWordsAreNearer(t *testing.T) {
	query := embedOne(t, "find the missing colon")
	near := cosine(query, embedOne(t, "The file missing_colon.py lacks a colon; find it."))
	far := cosine(query, embedOne(t, "Weather in Paris: sunny, 21 degrees."))
	if near < far+0.2 {
		t.Errorf("similarity %.3f to a related text and %.3f to an unrelated one", near, far)
	}
}

func TestInflectedWordsMeet(t *testing.T) {
	if s := cosine(embedOne(t, "crystallise"), embedOne(t, "crystallised")); s < 0.4 {
		t.Errorf("similarity %.3f", s)
	}
}

// The vector of a text is part of what is stored: another one would not be comparable.
func TestVectorsStayAsTheyAre(t *testing.T) {
	var at []int
	for i, x := range embedOne(t, "Hello, world") {
		if x != 0 {
			at = append(at, i)
		}
	}
	if want := []int{0, 31, 43, 52, 62, 79, 99, 113, 126, 140, 162, 194}; !slices.Equal(at, want) {
		t.Errorf("features at %v, want %v", at, want)
	}
}

func TestBlankTextHasTheZeroVector(t *testing.T) {
	if v := embedOne(t, " …!? "); cosine(v, v) != 0 {
		t.Error("a text without words has a direction")
	}
}

func TestEmbedStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (Hashing{}).Embed(ctx, []string{"a"}); err == nil {
		t.Error("went on")
	}
}

func BenchmarkEmbed(b *testing.B) {
	text := "The file missing_colon.py lacks a colon; find it, open it and see what the syntax error might be."
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := (Hashing{}).Embed(context.Background(), []string{text}); err != nil {
			b.Fatal(err)
		}
	}
}
