package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"assay/internal/query"
)

func (p *program) promotionsCommand() *cobra.Command {
	var request query.PromotionsRequest
	var watch bool
	var form listing
	cmd := &cobra.Command{
		Use:   "promotions",
		Short: "Show what was promoted to the registry and what still waits; retry it or give it up",
		Long: "Promotions lists what was promoted, oldest first. Those that the registry refused are kept and tried again only by\n" +
			"`assay promotions retry`; those that could not be delivered are tried again by themselves.",
		Example: "  assay promotions --state pending\n" +
			"  assay promotions show promotion-7\n" +
			"  assay promotions retry --all-rejected\n" +
			"  assay promotions reject promotion-7 --reason superseded",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch && (request.State != "" || cmd.Flags().Changed("data")) {
				return errors.New("--watch shows every change of a running server: leave out --state and --data")
			}
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				if watch {
					return p.watchPromotions(ctx, v)
				}
				return p.listPromotions(ctx, v, request, form)
			})
		},
	}
	addPlace(cmd)
	addList(cmd, &form)
	cmd.Flags().StringVar(&request.State, "state", "", "only pending, published or rejected ones")
	cmd.Flags().BoolVar(&request.Newest, "newest", false, "the newest first")
	cmd.Flags().IntVar(&request.Limit, "limit", 1000, "promotions to show")
	cmd.Flags().StringVar(&request.Cursor, "cursor", "", "go on where a list ended")
	cmd.Flags().BoolVar(&watch, "watch", false, "show what is pending and rejected, then every change, until interrupted")
	cmd.AddCommand(p.promotionShowCommand(), p.promotionRetryCommand(), p.promotionRejectCommand())
	return cmd
}

func (p *program) listPromotions(ctx context.Context, v query.View, request query.PromotionsRequest, form listing) error {
	promotions, next, err := follow(request.Limit, query.MaxPromotionPage, func(limit int, more string) ([]query.Promotion, string, error) {
		request.Limit, request.Cursor = limit, cmp.Or(more, request.Cursor)
		page, err := v.Promotions(ctx, request)
		if err != nil {
			return nil, "", err
		}
		return page.Promotions, page.Next, nil
	})
	if err != nil {
		return err
	}
	if p.json {
		return errors.Join(p.printJSON(promotions), p.more(next))
	}
	return errors.Join(printList(p, form, promotions, promotionColumns()), p.more(next))
}

func promotionColumns() []column[query.Promotion] {
	type row = query.Promotion
	return []column[row]{
		{name: "PROMOTION", show: func(m *row) string { return m.EventCID }},
		{name: "WORKFLOW", show: func(m *row) string { return m.WorkflowID }},
		{name: "STATE", hue: query.StatusHue, show: func(m *row) string { return m.State }},
		{name: "ATTEMPTS", right: true, show: func(m *row) string { return number(m.Attempts) }},
		{name: "NEXT ATTEMPT " + zone(), show: func(m *row) string { return clock(m.NextAttemptAt) }},
		{name: "URN OR REASON", long: true, show: outcome},
		{name: "EVENT", wide: true, show: func(m *row) string { return m.EventUUID }},
	}
}

// outcome is what came of a promotion so far, for people.
func outcome(m *query.Promotion) string {
	if m.URN != "" {
		return m.URN
	}
	return orDash(brief(m.Reason, 100))
}

func (p *program) watchPromotions(ctx context.Context, v query.View) error {
	lines := json.NewEncoder(p.stdout)
	for m, err := range v.WatchPromotions(ctx) {
		if err != nil {
			return err
		}
		if p.json {
			err = lines.Encode(m)
		} else {
			_, err = fmt.Fprintf(p.stdout, "%s  %s  %s, %d attempts  %s\n", m.EventCID, m.WorkflowID, m.State, m.Attempts, outcome(&m.Promotion))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *program) promotionShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show all that is known of a promotion, named by its event_cid or event_uuid",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				m, err := v.Promotion(ctx, args[0])
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(m)
				}
				return p.printPromotion(m)
			})
		},
	}
	addPlace(cmd)
	return cmd
}

func (p *program) printPromotion(m *query.PromotionDetail) error {
	return table(p.stdout, "promotion\t"+m.EventCID, func(row func(string, ...any)) {
		row("event_uuid\t%s", m.EventUUID)
		row("workflow\t%s", orDash(m.WorkflowID))
		row("state\t%s", m.State)
		row("event time\t%s", clock(m.TS))
		row("accepted\t%s", clock(m.Accepted))
		row("registry\t%s", orDash(m.Registry))
		row("attempts\t%d", m.Attempts)
		row("next attempt\t%s", clock(m.NextAttemptAt))
		row("published\t%s", clock(m.PublishedAt))
		row("urn\t%s", orDash(m.URN))
		row("reason\t%s", orDash(m.Reason))
		row("event\t%s", m.Event)
	})
}

func (p *program) promotionRetryCommand() *cobra.Command {
	var rejected bool
	cmd := &cobra.Command{
		Use:   "retry ID…",
		Short: "Have promotions tried again at once; in a data directory, when it runs next",
		RunE: func(cmd *cobra.Command, args []string) error {
			if rejected == (len(args) > 0) {
				return errors.New("name promotions to retry, or give --all-rejected")
			}
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				if rejected {
					n, err := v.RetryRejected(ctx)
					return errors.Join(p.printSteered(query.Steered{Retried: n}), err)
				}
				n, err := steer(args, func(id string) error { return v.RetryPromotion(ctx, id) })
				return errors.Join(p.printSteered(query.Steered{Retried: n}), err)
			})
		},
	}
	addPlace(cmd)
	cmd.Flags().BoolVar(&rejected, "all-rejected", false, "all that the registry refused")
	return cmd
}

func (p *program) promotionRejectCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "reject ID…",
		Short: "Give promotions up: they are kept, and tried again only by command",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				n, err := steer(args, func(id string) error { return v.RejectPromotion(ctx, id, reason) })
				return errors.Join(p.printSteered(query.Steered{Rejected: n}), err)
			})
		},
	}
	addPlace(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who ask later")
	_ = cmd.MarkFlagRequired("reason") // fails only for a flag that is not there
	return cmd
}

// steer does something about each of the promotions and returns of how many it could.
func steer(ids []string, do func(id string) error) (done int, err error) {
	for _, id := range ids {
		if failed := do(id); failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		done++
	}
	return done, err
}

func (p *program) printSteered(s query.Steered) error {
	if p.json {
		return p.printJSON(s)
	}
	_, err := fmt.Fprintf(p.stdout, "%d retried, %d rejected\n", s.Retried, s.Rejected)
	return err
}
