package failpoint_test

import (
	"slices"
	"testing"

	"assay/consumers/gold/state"
	"assay/internal/failpoint"
)

// Whoever chooses a point of the list chooses one that the program passes.
func TestPointsOfGoldAreListed(t *testing.T) {
	for _, at := range []state.FaultPoint{
		state.BeforeAppend, state.AfterAppend, state.AfterCommit, state.BeforeIntent, state.AfterIntent, state.AfterWrite, state.AfterHeld,
	} {
		if !slices.Contains(failpoint.Points, "gold: "+string(at)) {
			t.Errorf("%q is not listed", at)
		}
	}
}
