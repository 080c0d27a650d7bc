package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/audit"
	"assay/internal/pipeline"
)

func (p *program) auditCommand() *cobra.Command {
	var workflow string
	var listMax int
	var chain, checkpoints bool
	var anchors []string
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Compare the tables with what the log says that they must be",
		Long: "Audit decodes the log anew, applies the gate, computes identities, folds entities, metrics and the graph, and compares\n" +
			"the results with the tables, row by row and column by column. It works on a data directory that no server uses, changes\n" +
			"nothing, and exits with status 1 if it finds a difference. With --chain it checks the log itself.",
		Example: "  assay audit --data D\n" +
			"  assay audit --data D --workflow sse/000 --json\n" +
			"  assay audit --data D --chain --anchor 1024:9f86d0…",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case checkpoints:
				return p.printCheckpoints(cmd)
			case chain, len(anchors) > 0:
				return p.auditChain(cmd, anchors)
			}
			return p.withPipeline(cmd, func(ctx context.Context, opened *pipeline.Pipeline) error {
				bar := p.newMeter("audit")
				report, err := opened.Audit(ctx, workflow, listMax, bar.show)
				bar.finish()
				if err != nil {
					return err
				}
				return p.printAudit(report)
			})
		},
	}
	addSettings(cmd)
	cmd.Flags().StringVar(&workflow, "workflow", "", "only this workflow; metrics and graph, which are about all, are left out")
	cmd.Flags().IntVar(&listMax, "list", audit.DefaultListMax, "how many differences to list; more are counted")
	cmd.Flags().BoolVar(&chain, "chain", false, "compare the log with its chain of hashes instead")
	cmd.Flags().StringArrayVar(&anchors, "anchor", nil, "with --chain: a link of the chain that was written down, SEQUENCE:LINK")
	cmd.Flags().BoolVar(&checkpoints, "checkpoints", false, "print the chain's checkpoints, for keeping them elsewhere")
	cmd.MarkFlagsMutuallyExclusive("chain", "workflow")
	cmd.MarkFlagsMutuallyExclusive("chain", "checkpoints")
	return cmd
}

func (p *program) printAudit(r *audit.Report) error {
	show := printReport
	if p.json {
		show = func(_ io.Writer, r *audit.Report) error { return p.printJSON(r) }
	}
	if err := show(p.stdout, r); err != nil {
		return err
	}
	if !r.Clean() {
		return errDifference
	}
	return nil
}

func printReport(w io.Writer, r *audit.Report) error {
	err := table(w, "TABLE\tEXPECTED\tSTORED\tMISSING\tUNEXPECTED\tDIFFERENT\tUNPROVABLE", func(add func(string, ...any)) {
		for _, t := range r.Tables {
			add("%s\t%d\t%d\t%d\t%d\t%d\t%d", t.Table, t.Expected, t.Stored, t.Missing, t.Unexpected, t.Different, t.Unprovable)
		}
	})
	if err == nil && !r.Clean() {
		fmt.Fprintln(w)
		err = table(w, "TABLE\tKEY\tFINDING\tCOLUMNS\tBRONZE\tPOSITION", func(add func(string, ...any)) {
			for _, d := range r.Differences {
				add("%s\t%s\t%s\t%s\t%s\t%s", d.Table, d.Key, d.Finding, orDash(strings.Join(d.Columns, ",")),
					numberOrDash(d.BronzeSeq, d.BronzeSeq > 0), positionOrDash(d.Position))
			}
		})
	}
	if r.Omitted > 0 {
		fmt.Fprintf(w, "… and %d more\n", r.Omitted)
	}
	verdict := "the tables are what the log says"
	if !r.Clean() {
		verdict = "the tables differ from the log"
	}
	fmt.Fprintf(w, "\n%d frames, %d events in %s: %s\n", r.Frames, r.Events,
		time.Duration(r.Seconds*float64(time.Second)).Round(time.Millisecond), verdict)
	return err
}

func positionOrDash(position *uint64) string {
	if position == nil {
		return "-"
	}
	return strconv.FormatUint(*position, 10)
}

func numberOrDash(n uint64, known bool) string {
	if !known {
		return "-"
	}
	return strconv.FormatUint(n, 10)
}
