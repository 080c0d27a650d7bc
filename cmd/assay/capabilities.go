package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/spf13/cobra"

	"assay/internal/query"
)

func (p *program) capabilitiesCommand() *cobra.Command {
	var form listing
	cmd := &cobra.Command{
		Use:        "capabilities",
		SuggestFor: []string{"tools", "models", "metrics"},
		Short:      "Show how often each tool, method and model was used, how fast and how well: an hour a row, the last one first",
		Args:       cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				found, err := v.Capabilities(ctx)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(query.CapabilityList{Capabilities: found})
				}
				slices.SortStableFunc(found, func(a, b query.Capability) int {
					return cmp.Or(b.Bucket.Compare(a.Bucket), cmp.Compare(b.Calls, a.Calls))
				})
				return printList(p, form, found, capabilityColumns())
			})
		},
	}
	addPlace(cmd)
	addList(cmd, &form)
	return cmd
}

func capabilityColumns() []column[query.Capability] {
	type row = query.Capability
	return []column[row]{
		{name: "HOUR " + zone(), show: func(c *row) string { return c.Bucket.Local().Format("2006-01-02 15:04") }},
		{name: "CAPABILITY", long: true, show: func(c *row) string { return c.Capability }},
		{name: "KIND", wide: true, show: func(c *row) string { return orDash(c.Kind) }},
		{name: "CALLS", right: true, show: func(c *row) string { return number(c.Calls) }},
		{name: "ERRORS", right: true, hue: failures, show: func(c *row) string { return number(c.Errors) }},
		{name: "P50", right: true, show: func(c *row) string { return span(c.LatencyP50) }},
		{name: "P95", right: true, show: func(c *row) string { return span(c.LatencyP95) }},
		{name: "P99", right: true, show: func(c *row) string { return span(c.LatencyP99) }},
		{name: "TOKENS IN", right: true, show: func(c *row) string { return number(c.InputTokens) }},
		{name: "TOKENS OUT", right: true, show: func(c *row) string { return number(c.OutputTokens) }},
		{name: "COST", right: true, show: func(c *row) string { return dollars(c.CostUSD) }},
		{name: "PROVIDER", show: func(c *row) string { return orDash(c.Provider) }},
		{name: "WORKFLOWS", right: true, wide: true, show: func(c *row) string { return number(c.Workflows) }},
		{name: "BYTES", right: true, wide: true, show: func(c *row) string { return number(c.Bytes) }},
	}
}
