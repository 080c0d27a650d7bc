package main

import (
	"cmp"
	"context"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"assay/internal/query"
)

func (p *program) deadCommand() *cobra.Command {
	var limit int
	var cursor string
	var form listing
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "Show what could not be decoded, and why",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				dead, next, err := follow(limit, query.MaxDeadPage, func(limit int, more string) ([]query.Dead, string, error) {
					page, err := v.Dead(ctx, query.DeadRequest{Limit: limit, Cursor: cmp.Or(more, cursor)})
					if err != nil {
						return nil, "", err
					}
					return page.Dead, page.Next, nil
				})
				if err != nil {
					return err
				}
				if p.json {
					return errors.Join(p.printJSON(dead), p.more(next))
				}
				return errors.Join(printList(p, form, dead, deadColumns()), p.more(next))
			})
		},
	}
	addPlace(cmd)
	addList(cmd, &form)
	cmd.Flags().IntVar(&limit, "limit", query.DefaultDead, "events to show, oldest first")
	cmd.Flags().StringVar(&cursor, "cursor", "", "go on where a list ended")
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
