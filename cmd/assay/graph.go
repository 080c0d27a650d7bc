package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"assay/internal/query"
	"assay/internal/query/graph"
)

func (p *program) graphCommand() *cobra.Command {
	var format string
	var form listing
	cmd := &cobra.Command{
		Use:     "graph",
		Short:   "Show who called what: as a table, JSON, DOT, Mermaid or a picture",
		Example: "  assay graph --format svg > usage.svg",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.json {
				format = graph.FormatJSON
			}
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				g, err := v.Graph(ctx)
				if err != nil {
					return err
				}
				if format == "table" {
					return p.printEdges(g, form)
				}
				text, _, err := graph.Render(g, format)
				if err != nil {
					return fmt.Errorf("--format: %w, table", err)
				}
				_, err = p.stdout.Write(text)
				return err
			})
		},
	}
	addPlace(cmd)
	addList(cmd, &form)
	cmd.Flags().StringVar(&format, "format", "table", "table, json, dot, mermaid or svg")
	return cmd
}

// printEdges prints who called what, the most used first.
func (p *program) printEdges(g *query.Graph, form listing) error {
	type row = query.Element
	edges := slices.SortedStableFunc(slices.Values(g.Edges), func(a, b row) int { return cmp.Compare(b.Count, a.Count) })
	return printList(p, form, edges, []column[row]{
		{name: "FROM", long: true, show: func(e *row) string { return e.SourceType + " " + e.Source }},
		{name: "RELATION", show: func(e *row) string { return e.Relation }},
		{name: "TO", long: true, show: func(e *row) string { return e.TargetType + " " + e.Target }},
		{name: "COUNT", right: true, show: func(e *row) string { return number(e.Count) }},
		{name: "ERRORS", right: true, hue: failures, show: func(e *row) string { return number(e.Errors) }},
		{name: "LAST " + zone(), show: func(e *row) string { return clock(e.LastAt) }},
		{name: "FIRST", wide: true, show: func(e *row) string { return clock(e.FirstAt) }},
	})
}
