package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"assay/internal/embed"
	"assay/internal/query"
)

func (p *program) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far each layer has come",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				summary, err := v.Status(ctx)
				if err != nil {
					return err
				}
				return p.printSummary(summary)
			})
		},
	}
	addPlace(cmd)
	return cmd
}

// knows says what the fallback model lacks, "" of any other.
func knows(model string) string {
	if model == (embed.Hashing{}).Model() {
		return ", which compares words: this program was built without a model of meaning (`make model`)"
	}
	return ""
}

func printStatus(w io.Writer, s *query.Summary) error {
	return table(w, "LAYER\tCOUNTS", func(row func(string, ...any)) {
		row("bronze\t%d frames, %d events, %d bytes", s.Bronze.Frames, s.Bronze.Events, s.Bronze.Bytes)
		row("silver\t%d events in %d batches, %d shed, %d dead", s.Silver.Events, s.Silver.Batches, s.Silver.Shed, s.Silver.Dead)
		row("gold\t%d traces, %d entities, %d capabilities, %d edges, %d dead", s.Gold.Traces, s.Gold.Entities, s.Gold.Capabilities, s.Gold.Edges, s.Gold.Dead)
		row("embeddings\t%d episodes wait for vectors of %s%s", s.Embeddings.Pending, s.Embeddings.Model, knows(s.Embeddings.Model))
		row("promotions\t%d published, %d pending, %d rejected", s.Promotions.Published, s.Promotions.Pending, s.Promotions.Rejected)
		if f := s.Forward; f != nil {
			row("forward\t%d frames wait for %s, which has them up to %d of %s", f.Lag, f.Hub, f.Sequence, f.Edge)
		}
		for _, r := range s.Retention {
			row("retention\t%s: %d rows dropped, those before %s", r.Table, r.Dropped, clock(r.Before))
		}
		for _, problem := range s.Problems {
			row("problem\t%s: %s", problem.Path, problem.Error)
		}
		for _, warning := range s.Warnings {
			row("warning\t%s", warning)
		}
	})
}
