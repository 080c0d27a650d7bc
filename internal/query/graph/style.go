package graph

import (
	"cmp"
	"fmt"
	"math"
)

// fills of boxes, by kind.
var fills = map[string]string{"workflow": "#4c78a8", "agent": "#f2a93b", "capability": "#59a14f", "model": "#9d6bb5"}

func fill(kind string) string { return cmp.Or(fills[kind], "#888888") }

const calmColour = "#9aa5b1" // of a line without errors

// Lines with errors go from amber, where few calls failed, to red, where all did.
var amber, red = [3]float64{240, 170, 60}, [3]float64{192, 40, 40}

// lineColour is the colour of a line, or of an error mark, for so many calls of which so many failed.
func lineColour(count, errors int64) string {
	if errors <= 0 {
		return calmColour
	}
	share := min(1, float64(errors)/float64(max(1, count)))
	var mixed [3]int
	for i := range mixed {
		mixed[i] = int(math.Round(amber[i] + share*(red[i]-amber[i])))
	}
	return fmt.Sprintf("#%02x%02x%02x", mixed[0], mixed[1], mixed[2])
}

const widthMax = 9.0 // of a line, in pixels

// width is the width of a line for a count: it grows with the logarithm, so that one busy edge does not drown the rest.
func width(count int64) float64 {
	return min(widthMax, 0.6+math.Log2(1+float64(max(0, count)))*0.8)
}
