package main

import (
	"context"

	"github.com/spf13/cobra"

	"assay/internal/query"
)

func (p *program) capabilitiesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "capabilities",
		Short: "Show how often each tool, method and model was used, how fast and how well",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				capabilities, err := v.Capabilities(ctx)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(capabilities)
				}
				return table(p.stdout, "CAPABILITY\tHOUR\tCALLS\tERRORS\tP50\tP95\tP99\tTOKENS IN\tTOKENS OUT\tWORKFLOWS",
					func(row func(string, ...any)) {
						for _, c := range capabilities {
							row("%s\t%s\t%d\t%d\t%s\t%s\t%s\t%d\t%d\t%d", c.Capability, clock(c.Bucket), c.Calls, c.Errors,
								span(c.LatencyP50), span(c.LatencyP95), span(c.LatencyP99), c.InputTokens, c.OutputTokens, c.Workflows)
						}
					})
			})
		},
	}
	addPlace(cmd)
	return cmd
}
