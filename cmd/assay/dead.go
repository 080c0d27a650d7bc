package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"assay/internal/query"
)

func (p *program) deadCommand() *cobra.Command {
	var limit int
	var form listing
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
				return printList(p, form, dead, deadColumns())
			})
		},
	}
	addPlace(cmd)
	addList(cmd, &form)
	cmd.Flags().IntVar(&limit, "limit", 100, "events to show, oldest first")
	return cmd
}

func deadColumns() []column[query.Dead] {
	type row = query.Dead
	return []column[row]{
		{name: "FRAME", right: true, show: func(d *row) string { return strconv.FormatUint(d.BronzeSeq, 10) }},
		{name: "STREAM", show: func(d *row) string { return d.StreamID }},
		{name: "POSITION", right: true, show: func(d *row) string { return strconv.FormatUint(d.Position, 10) }},
		{name: "BYTES", right: true, show: func(d *row) string { return strconv.Itoa(d.Bytes) }},
		{name: "REASON", long: true, show: func(d *row) string { return d.Reason }},
		{name: "BEGINS", long: true, show: func(d *row) string { return strconv.Quote(brief(string(d.Raw), 40)) }},
		{name: "AT " + zone(), wide: true, show: func(d *row) string { return clock(d.At) }},
	}
}
