package main

import (
	"context"

	"github.com/spf13/cobra"

	"assay/internal/query"
)

func (p *program) deadCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "Show what could not be decoded, and why",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				dead, err := v.Dead(ctx, limit)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(dead)
				}
				return table(p.stdout, "FRAME\tSTREAM\tPOSITION\tBYTES\tREASON\tBEGINS", func(row func(string, ...any)) {
					for _, d := range dead {
						row("%d\t%s\t%d\t%d\t%s\t%q", d.BronzeSeq, d.StreamID, d.Position, d.Bytes, d.Reason, brief(string(d.Raw), 40))
					}
				})
			})
		},
	}
	addPlace(cmd)
	cmd.Flags().IntVar(&limit, "limit", 100, "events to show, oldest first")
	return cmd
}
