package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/query"
)

func (p *program) workflowsCommand() *cobra.Command {
	var request query.WorkflowsRequest
	var since string
	var form listing
	cmd := &cobra.Command{
		Use:        "workflows [WORD…]",
		SuggestFor: []string{"ls", "list", "sessions"},
		Short:      "List workflows, the last active first: what they are about, calls, errors, tokens",
		Example:    "  assay workflows --since 24h\n  assay workflows --errors\n  assay workflows umbrella",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			request.Words = strings.Join(args, " ")
			if request.Since, err = query.ParseTime(since, time.Now()); err != nil {
				return fmt.Errorf("--since: %w", err)
			}
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				found, err := v.Workflows(ctx, request)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(found)
				}
				return errors.Join(printList(p, form, found.Workflows, workflowColumns()), p.more(found.Next))
			})
		},
	}
	addPlace(cmd)
	addList(cmd, &form)
	flags := cmd.Flags()
	flags.StringVar(&since, "since", "", "only those active since: a time, or how long ago, such as 90m or 7d")
	flags.BoolVar(&request.Errors, "errors", false, "only those with errors")
	flags.StringVar(&request.Agent, "agent", "", "only those of this agent")
	flags.IntVar(&request.Limit, "limit", query.DefaultWorkflows, "workflows to show")
	flags.StringVar(&request.Cursor, "cursor", "", "go on where a list ended")
	return cmd
}

func workflowColumns() []column[query.WorkflowSummary] {
	type row = query.WorkflowSummary
	return []column[row]{
		{name: "LAST " + zone(), show: func(w *row) string { return clock(w.LastAt) }},
		{name: "WORKFLOW", show: func(w *row) string { return w.WorkflowID }},
		{name: "TITLE", long: true, show: func(w *row) string { return w.Title }},
		{name: "MESSAGES", right: true, wide: true, show: func(w *row) string { return number(w.Messages) }},
		{name: "CALLS", right: true, show: func(w *row) string { return number(w.Calls) }},
		{name: "OPEN", right: true, show: func(w *row) string { return number(w.OpenCalls) }},
		{name: "ERRORS", right: true, hue: failures, show: func(w *row) string { return number(w.Errors) }},
		{name: "TOKENS", right: true, show: func(w *row) string { return number(w.InputTokens + w.OutputTokens) }},
		{name: "COST", right: true, wide: true, show: func(w *row) string { return dollars(w.CostUSD) }},
		{name: "MODELS", show: func(w *row) string { return orDash(strings.Join(w.Models, ", ")) }},
		{name: "AGENTS", wide: true, show: func(w *row) string { return orDash(strings.Join(w.Agents, ", ")) }},
		{name: "FIRST", wide: true, show: func(w *row) string { return clock(w.FirstAt) }},
	}
}

// dollars prints a price, "-" where nothing had one.
func dollars(usd float64) string {
	if usd == 0 {
		return "-"
	}
	return fmt.Sprintf("$%.4f", usd)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
