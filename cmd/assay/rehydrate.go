package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"assay/internal/query"
)

func (p *program) rehydrateCommand() *cobra.Command {
	var opts query.RehydrateOptions
	var at string
	cmd := &cobra.Command{
		Use:     "rehydrate WORKFLOW",
		Short:   "Show what is needed to resume a workflow",
		Example: "  assay rehydrate sample-session\n  assay rehydrate sse/000 --data D --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if opts.At, err = parseTime("at", at); err != nil {
				return err
			}
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				workflow, err := v.Rehydrate(ctx, args[0], opts)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(workflow)
				}
				return p.printWorkflow(workflow)
			})
		},
	}
	addPlace(cmd)
	cmd.Flags().IntVar(&opts.Limit, "limit", query.DefaultEntities, "entities to show")
	cmd.Flags().IntVar(&opts.Offset, "offset", 0, "entities to skip, newest first")
	cmd.Flags().StringVar(&at, "at", "", "show the state as of this time (RFC 3339)")
	return cmd
}

func (p *program) printWorkflow(w *query.Workflow) error {
	fmt.Fprintf(p.stdout, "workflow %s: %d events, %d entities, %d open calls, last frame %d\n\n",
		w.WorkflowID, w.Events, w.EntitiesTotal, len(w.OpenCalls), w.LastBronzeSeq)
	err := table(p.stdout, "STARTED\tKIND\tCAPABILITY\tSTATUS\tLATENCY\tEVENTS\tTEXT", func(row func(string, ...any)) {
		for _, e := range w.Entities {
			row("%s\t%s\t%s\t%s\t%s\t%d\t%s", clock(e.StartedAt), e.Kind, orDash(e.Capability), e.Status, span(e.LatencyUS), e.Events,
				mark(e.QuarantinedBy)+brief(e.Text, 60))
		}
	})
	for _, m := range w.Messages {
		fmt.Fprintf(p.stdout, "\n%s%s %s:\n%s\n", mark(m.QuarantinedBy), m.StreamID, m.Capability, m.Text)
	}
	for _, promotion := range w.Promotions {
		fmt.Fprintf(p.stdout, "\n%spromotion %s: %s %s\n", mark(promotion.QuarantinedBy), promotion.EventCID, promotion.State, promotion.URN)
	}
	return err
}
