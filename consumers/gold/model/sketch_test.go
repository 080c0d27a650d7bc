package model

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestQuantilesStayWithinTheSketchesBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		latencies := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 1, 200).Draw(t, "latencies")
		removed := rapid.SliceOfN(rapid.Int64Range(0, 1<<40), 0, 50).Draw(t, "removed")
		var s Sketch
		for _, l := range append(slices.Clone(removed), latencies...) {
			s = s.add(map[int32]int64{binOf(l): 1})
		}
		for _, l := range removed {
			s = s.add(map[int32]int64{binOf(l): -1})
		}
		slices.Sort(latencies)
		for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
			want := float64(latencies[int(q*float64(len(latencies)-1))])
			got, ok := s.quantile(q)
			if !ok || math.Abs(float64(got)-want) > LatencyAccuracy*want+0.5 {
				t.Fatalf("quantile %v is %d, want %v", q, got, want)
			}
		}
	})
}

func TestLatenciesOfPartitionsAddUp(t *testing.T) {
	whole, parts := Sketch{}, [3]Sketch{}
	for i := range int64(1000) {
		bin := map[int32]int64{binOf(i * i): 1}
		whole, parts[i%3] = whole.add(bin), parts[i%3].add(bin)
	}
	var sum Latencies
	for _, part := range parts {
		if err := sum.Add(part.String()); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []float64{0, 0.5, 0.95, 1} {
		want, _ := whole.quantile(q)
		if got, ok := sum.Quantile(q); !ok || got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	if err := sum.Add("no bins"); err == nil {
		t.Error("what is no sketch is taken for one")
	}
}
