package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"assay/internal/pipeline"
	"assay/streams"
)

// auditChain compares the log with its chain of hashes and with links that were written down.
func (p *program) auditChain(cmd *cobra.Command, anchors []string) error {
	known, err := parseAnchors(anchors)
	if err != nil {
		return err
	}
	return p.withPipeline(cmd, func(ctx context.Context, opened *pipeline.Pipeline) error {
		meter := p.newMeter("chain")
		report, err := opened.VerifyChain(ctx, known, meter.show)
		meter.finish()
		if err != nil {
			return err
		}
		if err := p.printChain(report); err != nil {
			return err
		}
		if !report.Clean() {
			return errDifference
		}
		return nil
	})
}

func (p *program) printChain(r *streams.ChainReport) error {
	if p.json {
		return p.printJSON(r)
	}
	for _, b := range r.Breaks {
		fmt.Fprintf(p.stdout, "frames %d to %d: %s\n", b.From, b.To, b.Reason)
	}
	if r.Aged != nil {
		fmt.Fprintf(p.stdout, "left the log: at least %d frames, %d events, %d bytes; link %s at %d\n",
			r.Aged.Frames, r.Aged.Events, r.Aged.Bytes, r.Aged.Link, r.Aged.Seq)
	}
	verdict := "the log is what was chained"
	if !r.Clean() {
		verdict = "the log is not what was chained"
	}
	fmt.Fprintf(p.stdout, "frames %d to %d: %d verified, %d before the first usable checkpoint, %d after the end of the chain\n%s %d:%s\n%s\n",
		r.FirstSeq, r.LastSeq, r.Verified, r.Unprovable, r.Unchained, "anchor", r.Head.Seq, r.Head.Link, verdict)
	return nil
}

// printCheckpoints prints the checkpoints in the form that --anchor takes, for keeping them elsewhere.
func (p *program) printCheckpoints(cmd *cobra.Command) error {
	return p.withPipeline(cmd, func(ctx context.Context, opened *pipeline.Pipeline) error {
		kept, err := opened.Log().Checkpoints(ctx)
		if err != nil || p.json {
			return errors.Join(err, p.printJSON(kept))
		}
		return table(p.stdout, "ANCHOR\tFRAMES\tEVENTS\tBYTES\tAT", func(add func(string, ...any)) {
			for _, c := range kept {
				add("%d:%s\t%d\t%d\t%d\t%s", c.Seq, c.Link, c.Frames, c.Events, c.Bytes, clock(c.At))
			}
		})
	})
}

func parseAnchors(texts []string) (anchors []streams.Anchor, err error) {
	for _, text := range texts {
		var a streams.Anchor
		seq, link, _ := strings.Cut(text, ":")
		if a.Seq, err = strconv.ParseUint(seq, 10, 64); err == nil {
			err = a.Link.UnmarshalText([]byte(link))
		}
		if err != nil {
			return nil, fmt.Errorf("--anchor %q is not SEQUENCE:LINK as `assay audit --checkpoints` prints it: %w", text, err)
		}
		anchors = append(anchors, a)
	}
	return anchors, nil
}
