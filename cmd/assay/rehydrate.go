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
	var budget int
	var form listing
	cmd := &cobra.Command{
		Use:     "rehydrate WORKFLOW",
		Short:   "Show what is needed to resume a workflow",
		Example: "  assay rehydrate sample-session\n  assay rehydrate sse/000 --data D --json",
		Args:    oneWorkflow,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if opts.At, err = parseTime("at", at); err != nil {
				return err
			}
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				if cmd.Flags().Changed("budget-tokens") {
					return p.printBriefing(ctx, v, args[0], budget)
				}
				workflow, err := v.Rehydrate(ctx, args[0], opts)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(workflow)
				}
				return p.printWorkflow(workflow, form)
			})
		},
	}
	addPlace(cmd)
	addList(cmd, &form)
	cmd.Flags().IntVar(&budget, "budget-tokens", 0, "only what is needed to go on, in so many tokens: goal, decisions, open calls, errors, last turns")
	cmd.Flags().IntVar(&opts.Limit, "limit", query.DefaultEntities, "entities to show")
	cmd.Flags().IntVar(&opts.Offset, "offset", 0, "entities to skip, newest first")
	cmd.Flags().StringVar(&at, "at", "", "show the state as of this time (RFC 3339)")
	return cmd
}

func (p *program) printBriefing(ctx context.Context, v query.View, workflow string, budget int) error {
	b, err := query.Brief(ctx, v, workflow, budget)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(b)
	}
	_, err = fmt.Fprint(p.stdout, b)
	return err
}

func (p *program) printWorkflow(w *query.Workflow, form listing) error {
	if !form.csv && !form.lines {
		fmt.Fprintf(p.stdout, "workflow %s: %d events, %d entities, %d open calls, last frame %d\n\n",
			w.WorkflowID, w.Events, w.EntitiesTotal, len(w.OpenCalls), w.LastBronzeSeq)
	}
	type row = query.Entity
	err := printList(p, form, w.Entities, []column[row]{
		{name: "STARTED " + zone(), show: func(e *row) string { return clock(e.StartedAt) }},
		{name: "TEXT", long: true, show: func(e *row) string { return mark(e.QuarantinedBy) + e.Text }},
		{name: "KIND", show: func(e *row) string { return e.Kind }},
		{name: "CAPABILITY", show: func(e *row) string { return orDash(e.Capability) }},
		{name: "STATUS", hue: query.StatusHue, show: func(e *row) string { return e.Status }},
		{name: "LATENCY", right: true, show: func(e *row) string { return span(e.LatencyUS) }},
		{name: "EVENTS", right: true, wide: true, show: func(e *row) string { return number(e.Events) }},
		{name: "ENTITY", wide: true, show: func(e *row) string { return e.EntityUUID }},
	})
	if form.csv || form.lines {
		return err
	}
	for _, m := range w.Messages {
		fmt.Fprintf(p.stdout, "\n%s%s %s:\n%s\n", mark(m.QuarantinedBy), query.Printable(m.StreamID), m.Capability, query.Printable(m.Text))
	}
	for _, promotion := range w.Promotions {
		fmt.Fprintf(p.stdout, "\n%spromotion %s: %s %s\n", mark(promotion.QuarantinedBy), promotion.EventCID, promotion.State, promotion.URN)
	}
	return err
}
