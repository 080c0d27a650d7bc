package graph

import "assay/internal/query"

// Focus says which part of a graph is looked at; the zero Focus is all of it.
type Focus struct {
	Workflow string // what touches this workflow
	Node     string // what touches a node of this name that is no workflow
	Errors   bool   // what failed
}

// Select returns the edges that f is about, and their nodes.
func Select(g *query.Graph, f Focus) *query.Graph {
	if f == (Focus{}) {
		return g
	}
	part := &query.Graph{Nodes: []query.Element{}, Edges: []query.Element{}}
	seen := map[string]bool{}
	for _, e := range g.Edges {
		if f.has(e) {
			part.Edges = append(part.Edges, e)
			seen[nodeName(e.SourceType, e.Source)], seen[nodeName(e.TargetType, e.Target)] = true, true
		}
	}
	for _, n := range g.Nodes {
		if seen[nodeName(n.SourceType, n.Source)] {
			part.Nodes = append(part.Nodes, n)
		}
	}
	return part
}

func (f Focus) has(edge query.Element) bool {
	touches := func(workflow bool, name string) bool {
		return (edge.SourceType == "workflow") == workflow && edge.Source == name ||
			(edge.TargetType == "workflow") == workflow && edge.Target == name
	}
	return (f.Workflow == "" || touches(true, f.Workflow)) && (f.Node == "" || touches(false, f.Node)) && (!f.Errors || edge.Errors > 0)
}
