package model

import (
	"math"
	"testing"
)

// However much an event says that a call cost, sums of a million of them do not overflow.
func TestAReportedCostHasALimit(t *testing.T) {
	for cost, want := range map[float64]int64{0.5: 5e8, maxReportedCost: 1e15, maxReportedCost + 1: 1e15, math.Inf(1): 1e15} {
		if got := (&EntityState{cost: cost}).nanodollars(); got != want {
			t.Errorf("%v dollars are %d billionths, want %d", cost, got, want)
		}
	}
}
