package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"assay/internal/query"
	"assay/internal/query/graph"
)

func (p *program) graphCommand() *cobra.Command {
	var format string
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
					return p.printEdges(g)
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
	cmd.Flags().StringVar(&format, "format", "table", "table, json, dot, mermaid or svg")
	return cmd
}

func (p *program) printEdges(g *query.Graph) error {
	return table(p.stdout, "FROM\tRELATION\tTO\tCOUNT\tERRORS\tFIRST\tLAST", func(row func(string, ...any)) {
		for _, e := range g.Edges {
			row("%s %s\t%s\t%s %s\t%d\t%d\t%s\t%s", e.SourceType, e.Source, e.Relation, e.TargetType, e.Target,
				e.Count, e.Errors, clock(e.FirstAt), clock(e.LastAt))
		}
	})
}
