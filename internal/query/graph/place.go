package graph

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/path"
	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/mds"
)

// partGap is the room below a part of the picture that has more than one row, in rows.
const partGap = 0.5

// part is boxes that calls join.
type part struct {
	boxes []*box // in the order in which they are placed
	count int64  // of its callers
}

// place gives each box its row: part by part, the largest first, and within a part so that those close in the graph are close
// on paper.
func place(p *picture) {
	calls := simple.NewUndirectedGraph()
	ids := map[*box]int64{}
	for i, b := range p.boxes {
		ids[b] = int64(i)
		calls.AddNode(simple.Node(i))
	}
	for _, l := range p.links {
		if l.across() {
			calls.SetEdge(simple.Edge{F: simple.Node(ids[l.from]), T: simple.Node(ids[l.to])})
		}
	}
	distances := path.DijkstraAllPaths(calls)
	components := topo.ConnectedComponents(calls)
	parts := make([]part, 0, len(components))
	for _, nodes := range components {
		parts = append(parts, newPart(p, nodes, distances))
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(len(b.boxes), len(a.boxes)), cmp.Compare(b.count, a.count), byName(a.boxes[0], b.boxes[0]))
	})
	top := 0.0
	for _, part := range parts {
		rows := part.place(top)
		top += rows
		if rows > 1 {
			top += partGap
		}
	}
}

// newPart orders the boxes by the first coordinate of a classical multidimensional scaling of their distances (Torgerson,
// "Multidimensional scaling: I. Theory and method", Psychometrika 17, 1952), which puts neighbours in the graph side by side.
func newPart(p *picture, nodes []graph.Node, distances path.AllShortest) part {
	slices.SortFunc(nodes, func(a, b graph.Node) int { return cmp.Compare(a.ID(), b.ID()) })
	apart := mat.NewSymDense(len(nodes), nil)
	made := part{boxes: make([]*box, len(nodes))}
	busiest := 0
	for i, n := range nodes {
		made.boxes[i] = p.boxes[n.ID()]
		if made.boxes[i].caller() {
			made.count += made.boxes[i].count
		}
		if made.boxes[i].count > made.boxes[busiest].count {
			busiest = i
		}
		for j := range i {
			apart.SetSym(i, j, distances.Weight(nodes[i].ID(), nodes[j].ID()))
		}
	}
	var points mat.Dense
	if k, _ := mds.TorgersonScaling(&points, nil, apart); k == 0 {
		return made
	}
	at := map[*box]float64{}
	for i, b := range made.boxes {
		at[b] = math.Round(points.At(i, 0)*1e6) / 1e6 // so that equal ones are equal on every machine
	}
	// A scaling may come out either way round: the busiest goes to the upper half.
	if at[made.boxes[busiest]] > 0 {
		for b := range at {
			at[b] = -at[b]
		}
	}
	slices.SortStableFunc(made.boxes, func(a, b *box) int {
		return cmp.Or(cmp.Compare(at[a], at[b]), cmp.Compare(b.count, a.count))
	})
	return made
}

// place spreads each column of the part evenly over its height, which is returned, in rows.
func (p *part) place(top float64) (rows float64) {
	var columns [2][]*box
	for _, b := range p.boxes {
		side := 0
		if b.caller() {
			side = 1
		}
		columns[side] = append(columns[side], b)
	}
	rows = float64(max(len(columns[0]), len(columns[1])))
	for _, column := range columns {
		for i, b := range column {
			b.row = top + (float64(i)+0.5)*rows/float64(len(column)) - 0.5
		}
	}
	return rows
}
