package main

import (
	"context"

	"github.com/spf13/cobra"

	"assay/internal/view"
)

func (p *program) promotionsCommand() *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use:   "promotions",
		Short: "Show what was promoted to the registry and what still waits",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withView(cmd, func(ctx context.Context, v view.View) error {
				promotions, err := v.Promotions(ctx, state)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(promotions)
				}
				return table(p.stdout, "PROMOTION\tWORKFLOW\tSTATE\tATTEMPTS\tNEXT ATTEMPT\tURN OR REASON", func(row func(string, ...any)) {
					for _, m := range promotions {
						row("%s\t%s\t%s\t%d\t%s\t%s", m.EventCID, m.WorkflowID, m.State, m.Attempts, clock(m.NextAttemptAt), orDash(m.URN+m.Reason))
					}
				})
			})
		},
	}
	addPlace(cmd)
	cmd.Flags().StringVar(&state, "state", "", "only pending, published or rejected ones")
	return cmd
}
