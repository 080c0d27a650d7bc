package pages

import (
	"cmp"
	"html/template"
	"net/http"
	"slices"

	"assay/internal/query"
	"assay/internal/query/graph"
)

// graphPage is the usage graph, or a part of it.
type graphPage struct {
	*query.Graph
	Focus     graph.Focus     `json:"-"`
	Workflows bool            `json:"-"` // each by its name, or grouped by what they call
	Picture   template.HTML   `json:"-"` // made by package graph, which escapes
	Shown     []query.Element `json:"-"`
}

// elementsListed is how many elements are listed below the picture.
const elementsListed = 100

func (s *site) graph(r *http.Request) (*page, error) {
	asked := r.URL.Query()
	p := graphPage{
		Focus:     graph.Focus{Workflow: asked.Get("workflow"), Node: asked.Get("node"), Errors: asked.Get("errors") != ""},
		Workflows: asked.Get("workflows") != "",
	}
	whole, err := s.View.Graph(r.Context())
	if err != nil {
		return nil, err
	}
	p.Graph = graph.Select(whole, p.Focus)
	workflows := graph.Together
	if p.Workflows {
		workflows = graph.Apart
	}
	p.Picture = template.HTML(graph.Inline(p.Graph, workflows, graph.Links{Node: nodeLink, Group: "/graph?workflows=1"}))
	p.Shown = slices.Clone(p.Nodes)
	slices.SortFunc(p.Shown, func(a, b query.Element) int {
		return cmp.Or(cmp.Compare(b.Errors, a.Errors), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Source, b.Source))
	})
	p.Shown = p.Shown[:min(len(p.Shown), elementsListed)]
	return &page{Template: "graph", Title: "Usage graph", Section: "graph", Live: "*", Data: p}, nil
}

func nodeLink(kind, name string) string {
	if kind == "workflow" {
		return link("/workflow", "id", name)
	}
	return link("/graph", "node", name)
}
