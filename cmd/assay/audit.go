package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/app"
	"assay/internal/ops/audit"
	"assay/internal/query"
	"assay/internal/query/api"
)

type auditFlags struct {
	workflow           string
	listMax            int
	chain, checkpoints bool
	anchors            []string
}

func (p *program) auditCommand() *cobra.Command {
	var flags auditFlags
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Compare the tables with what the log says that they must be",
		Long: "Audit decodes the log anew, applies the gate, computes identities, folds entities, metrics and the graph, and compares\n" +
			"the results with the tables, row by row and column by column, and with the dead letters. It changes nothing, and exits\n" +
			"with status 1 if it finds a difference. A running server audits itself while it goes on, up to what was in its tables at\n" +
			"the start; with --data the audit works on a directory that no server uses. Interrupted there and started again, it goes\n" +
			"on where it was. With --chain it checks the log itself.",
		Example: "  assay audit\n" +
			"  assay audit --data D --workflow sse/000 --json\n" +
			"  assay audit --data D --chain --anchor 1024:9f86d0…",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withPlace(cmd,
				func(ctx context.Context, server *query.Remote) error { return p.audit(ctx, server, flags) },
				func(ctx context.Context, opened *app.Pipeline) error { return p.audit(ctx, opened, flags) })
		},
	}
	addServer(cmd)
	addSettings(cmd)
	cmd.Flags().StringVar(&flags.workflow, "workflow", "", "only this workflow; metrics and graph, which are about all, are left out")
	cmd.Flags().IntVar(&flags.listMax, "list", audit.DefaultListMax, "how many differences to list; more are counted")
	cmd.Flags().BoolVar(&flags.chain, "chain", false, "compare the log with its chain of hashes instead")
	cmd.Flags().StringArrayVar(&flags.anchors, "anchor", nil, "with --chain: a link of the chain that was written down, SEQUENCE:LINK")
	cmd.Flags().BoolVar(&flags.checkpoints, "checkpoints", false, "print the chain's checkpoints, for keeping them elsewhere")
	cmd.MarkFlagsMutuallyExclusive("chain", "workflow")
	cmd.MarkFlagsMutuallyExclusive("chain", "checkpoints")
	return cmd
}

// audit has a directory or a server audited.
func (p *program) audit(ctx context.Context, of api.Auditor, flags auditFlags) error {
	switch {
	case flags.checkpoints:
		return p.printCheckpoints(ctx, of)
	case flags.chain, len(flags.anchors) > 0:
		return p.auditChain(ctx, of, flags.anchors)
	}
	bar := p.newMeter("audit")
	report, err := of.Audit(ctx, flags.workflow, flags.listMax, bar.show)
	bar.finish()
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; the same command goes on where it was: %w", err)
	}
	if err != nil {
		return err
	}
	return p.printAudit(report)
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
	if err == nil && len(r.Differences) > 0 {
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
	if r.Unprovable() {
		fmt.Fprintf(w, "\nframes before %d have left the log: what they said cannot be proved any more\n", r.FirstSeq)
	}
	if r.Stale != "" {
		fmt.Fprintf(w, "\n%s\n", r.Stale)
	}
	for _, lost := range r.Lost {
		fmt.Fprintf(w, "\nframes %s are missing from the log, and no limit took them\n", lost)
	}
	if len(r.Lost) > 0 {
		fmt.Fprintln(w, "put DIR/log of a mirror or a backup in place, or ingest their sources again; the tables still have their rows")
	}
	verdict := "the tables are what the log says"
	if !r.Clean() {
		verdict = "the tables differ from the log"
	}
	if len(r.Differences) == 0 && len(r.Lost) > 0 {
		verdict = "the tables are what the rest of the log says"
	}
	fmt.Fprintf(w, "\n%d frames, %d events in %s", r.Frames, r.Events, time.Duration(r.Seconds*float64(time.Second)).Round(time.Millisecond))
	if r.Resumed > 0 {
		fmt.Fprintf(w, ", %d of the frames before an interruption", r.Resumed)
	}
	fmt.Fprintf(w, ": as of %s %s\n", clock(r.AsOf), verdict)
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
