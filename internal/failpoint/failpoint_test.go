package failpoint_test

import (
	"slices"
	"testing"

	"assay/consumers/gold"
	"assay/internal/failpoint"
)

// Whoever chooses a point of the list chooses one that the program passes.
func TestPointsOfGoldAreListed(t *testing.T) {
	for _, at := range []gold.FaultPoint{
		gold.BeforeAppend, gold.AfterAppend, gold.AfterCommit, gold.BeforeIntent, gold.AfterIntent, gold.AfterWrite, gold.AfterHeld,
	} {
		if !slices.Contains(failpoint.Points, "gold: "+string(at)) {
			t.Errorf("%q is not listed", at)
		}
	}
}
