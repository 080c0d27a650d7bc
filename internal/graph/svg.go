package graph

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/graph/layout"
	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/spatial/r2"

	"assay/internal/view"
)

// Measures of the picture, in pixels.
const (
	pictureWidth  = 1400.0
	pictureHeight = 900.0
	margin        = 90.0
	minRadius     = 7.0
	maxRadius     = 26.0
	maxWidth      = 9.0
)

const (
	errorColour = "#c0392b"
	edgeColour  = "#9aa5b1"
)

// fills of nodes, by type.
var fills = map[string]string{
	"workflow": "#4c78a8", "agent": "#f2a93b", "capability": "#59a14f", "model": "#9d6bb5",
}

// layoutUpdates is how many steps the layout takes; it settles well before.
const layoutUpdates = 120

func svg(g *view.Graph) []byte {
	at := place(g)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" font-family="system-ui, sans-serif" font-size="12">`+"\n",
		pictureWidth, pictureHeight)
	b.WriteString(`<rect width="100%" height="100%" fill="#fbfbfa"/>` + "\n")
	legend(&b)
	for _, e := range g.Edges {
		drawEdge(&b, e, at[nodeName(e.SourceType, e.Source)], at[nodeName(e.TargetType, e.Target)])
	}
	for _, n := range g.Nodes {
		drawNode(&b, n, at[nodeName(n.SourceType, n.Source)])
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// place lays the nodes out with the spring embedder of Eades, "A heuristic for graph drawing" (Congressus Numerantium
// 42, 1984), always from the same start, and fits the result to the picture.
func place(g *view.Graph) map[string]r2.Vec {
	ids := map[string]int64{}
	springs := simple.NewUndirectedGraph()
	for i, n := range g.Nodes {
		ids[nodeName(n.SourceType, n.Source)] = int64(i)
		springs.AddNode(simple.Node(i))
	}
	for _, e := range g.Edges {
		from, to := ids[nodeName(e.SourceType, e.Source)], ids[nodeName(e.TargetType, e.Target)]
		if from != to {
			springs.SetEdge(simple.Edge{F: simple.Node(from), T: simple.Node(to)})
		}
	}
	eades := layout.EadesR2{Updates: layoutUpdates, Repulsion: 1, Rate: 0.05, Theta: 0.1, Src: rand.NewPCG(1, 1)}
	optimizer := layout.NewOptimizerR2(springs, eades.Update)
	for len(g.Nodes) > 1 && optimizer.Update() {
	}
	at := map[string]r2.Vec{}
	for name, id := range ids {
		at[name] = optimizer.Coord2(id)
	}
	fit(at)
	return at
}

// fit scales the points into the picture, inside its margin.
func fit(at map[string]r2.Vec) {
	low, high := r2.Vec{X: math.Inf(1), Y: math.Inf(1)}, r2.Vec{X: math.Inf(-1), Y: math.Inf(-1)}
	for _, p := range at {
		low = r2.Vec{X: min(low.X, p.X), Y: min(low.Y, p.Y)}
		high = r2.Vec{X: max(high.X, p.X), Y: max(high.Y, p.Y)}
	}
	scale := func(v, low, high, size float64) float64 {
		if high <= low {
			return size / 2
		}
		return margin + (v-low)/(high-low)*(size-2*margin)
	}
	for name, p := range at {
		at[name] = r2.Vec{X: scale(p.X, low.X, high.X, pictureWidth), Y: scale(p.Y, low.Y, high.Y, pictureHeight)}
	}
}

func legend(b *bytes.Buffer) {
	x := 20.0
	for _, kind := range []string{"workflow", "agent", "capability", "model"} {
		fmt.Fprintf(b, `<circle cx="%g" cy="20" r="6" fill="%s"/><text x="%g" y="24" fill="#333">%s</text>`+"\n", x, fills[kind], x+10, kind)
		x += 100
	}
	fmt.Fprintf(b, `<line x1="%g" y1="20" x2="%g" y2="20" stroke="%s" stroke-width="3"/><text x="%g" y="24" fill="#333">with errors</text>`+"\n",
		x, x+24, errorColour, x+30)
}

func drawEdge(b *bytes.Buffer, e view.Element, from, to r2.Vec) {
	colour := edgeColour
	if e.Errors > 0 {
		colour = errorColour
	}
	// A bow to one side keeps the two directions between a pair of nodes apart.
	middle := r2.Scale(0.5, r2.Add(from, to))
	bow := r2.Scale(0.12, r2.Vec{X: from.Y - to.Y, Y: to.X - from.X})
	control := r2.Add(middle, bow)
	fmt.Fprintf(b, `<path d="M%.1f %.1f Q%.1f %.1f %.1f %.1f" fill="none" stroke="%s" stroke-opacity="0.7" stroke-width="%.1f"><title>%s</title></path>`+"\n",
		from.X, from.Y, control.X, control.Y, to.X, to.Y, colour, width(e.Count),
		escapeXML(fmt.Sprintf("%s %s %s: %d, %d with errors", e.Source, e.Relation, e.Target, e.Count, e.Errors)))
}

func drawNode(b *bytes.Buffer, n view.Element, at r2.Vec) {
	radius := min(maxRadius, minRadius+2*math.Log2(1+float64(n.Count)))
	fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s" stroke="white" stroke-width="1.5"><title>%s</title></circle>`+"\n",
		at.X, at.Y, radius, fills[n.SourceType], escapeXML(fmt.Sprintf("%s %s: %d", n.SourceType, n.Source, n.Count)))
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="#222">%s</text>`+"\n",
		at.X, at.Y+radius+13, escapeXML(shorten(n.Source)))
}

// width is the width of a line for a count: it grows with the logarithm, so that one busy edge does not drown the rest.
func width(count int64) float64 {
	return min(maxWidth, 1+math.Log2(1+float64(count))*0.6)
}

const maxLabel = 28 // runes

func shorten(s string) string {
	if runes := []rune(s); len(runes) > maxLabel {
		return string(runes[:maxLabel-1]) + "…"
	}
	return s
}

func escapeXML(s string) string {
	var b bytes.Buffer
	// A bytes.Buffer takes every write.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
