package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/query"
)

func (p *program) recallCommand() *cobra.Command {
	var request query.RecallRequest
	var after, before string
	var form listing
	cmd := &cobra.Command{
		Use:        "recall QUERY…",
		SuggestFor: []string{"search", "find", "query"},
		Short:      "Search the memory: by meaning, by words or by both",
		Example:    "  assay recall why did the build fail\n  assay recall --mode text --kind observation linker",
		Args:       cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			request.Query = strings.Join(args, " ")
			if request.After, err = parseTime("after", after); err != nil {
				return err
			}
			if request.Before, err = parseTime("before", before); err != nil {
				return err
			}
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				hits, err := v.Recall(ctx, request)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(hits)
				}
				return p.printHits(hits, form)
			})
		},
	}
	addPlace(cmd)
	addList(cmd, &form)
	addSettings(cmd, "embeddings.url", "embeddings.model", "embeddings.dimensions", "embeddings.model_dir", "embeddings.shorten", "embeddings.key_file")
	flags := cmd.Flags()
	flags.StringVar(&request.Mode, "mode", query.ModeHybrid, "hybrid, vector or text")
	flags.IntVar(&request.Limit, "limit", 0, "episodes to show (default 10, or what --budget-tokens allows)")
	flags.StringVar(&request.Workflow, "workflow", "", "only this workflow")
	flags.StringVar(&request.Agent, "agent", "", "only this agent")
	flags.StringVar(&request.Kind, "kind", "", "only this kind of episode, such as message or observation")
	flags.StringVar(&after, "after", "", "only from this time on (RFC 3339)")
	flags.StringVar(&before, "before", "", "only before this time (RFC 3339)")
	flags.IntVar(&request.BudgetTokens, "budget-tokens", 0, "as many as fit into so many tokens of text, about")
	flags.IntVar(&request.Context, "context", 0, "neighbours of each hit to tell on each side; with --json")
	flags.BoolVar(&request.Exact, "exact", false, "compare every vector instead of using the index")
	flags.BoolVar(&request.IncludeQuarantined, "quarantined", false, "also find what was taken back")
	flags.BoolVar(&request.Origin, "origin", false, "tell which events and frames each hit was made of")
	return cmd
}

func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("--%s %q is not a time such as 2026-01-31T12:00:00Z", flag, text)
	}
	return t, nil
}

func (p *program) printHits(hits []query.Hit, form listing) error {
	if len(hits) == 0 && !form.csv && !form.lines {
		fmt.Fprintln(p.stdout, "nothing found")
		return nil
	}
	type row = query.Hit
	return printList(p, form, hits, []column[row]{
		{name: "TIME " + zone(), show: func(h *row) string { return clock(h.TS) }},
		{name: "TEXT", long: true, show: func(h *row) string { return mark(h.QuarantinedBy) + h.Text }},
		{name: "WORKFLOW", show: func(h *row) string { return h.WorkflowID }},
		{name: "KIND", show: func(h *row) string { return h.Kind }},
		{name: "SCORE", right: true, show: func(h *row) string { return fmt.Sprintf("%.4f", h.Score) }},
		{name: "BY VECTOR", wide: true, show: func(h *row) string { return found(h.VectorRank, h.Similarity) }},
		{name: "BY TEXT", wide: true, show: func(h *row) string { return found(h.TextRank, h.BM25) }},
		{name: "ENTITY", wide: true, show: func(h *row) string { return h.EntityUUID }},
		{name: "STREAM", wide: true, show: func(h *row) string { return h.StreamID }},
		{name: "POSITION", right: true, wide: true, show: func(h *row) string { return number(h.Position) }},
		{name: "FRAMES", wide: true, show: func(h *row) string { return frames(h.Origin) }},
	})
}

// found prints a hit's place in a list and what put it there.
func found(rank int, score float64) string {
	if rank == 0 {
		return "-"
	}
	return fmt.Sprintf("%d (%.3f)", rank, score)
}

// mark stands before what was taken back.
func mark(quarantinedBy string) string {
	if quarantinedBy == "" {
		return ""
	}
	return "(taken back) "
}

func frames(o *query.Origin) string {
	if o == nil {
		return "-"
	}
	return fmt.Sprintf("%d-%d", o.FirstBronzeSeq, o.LastBronzeSeq)
}
