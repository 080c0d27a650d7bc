package main

import (
	"context"
	"errors"
	"fmt"

	"assay/internal/query/api"
	"assay/streams"
)

// auditChain compares the log with its chain of hashes and with links that were written down.
func (p *program) auditChain(ctx context.Context, of api.Auditor, texts []string) error {
	var anchors []streams.Anchor
	for _, text := range texts {
		anchor, err := streams.ParseAnchor(text)
		if err != nil {
			return fmt.Errorf("--anchor: %w", err)
		}
		anchors = append(anchors, anchor)
	}
	meter := p.newMeter("chain")
	report, err := of.VerifyChain(ctx, anchors, meter.show)
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
}

func (p *program) printChain(r *streams.ChainReport) error {
	if p.json {
		return p.printJSON(r)
	}
	for _, b := range r.Breaks {
		fmt.Fprintf(p.stdout, "frames %d to %d: %s\n", b.From, b.To, b.Reason)
	}
	if r.Aged != nil {
		fmt.Fprintf(p.stdout, "not in the log any more: at least %d frames, %d events, %d bytes; link %s at %d\n",
			r.Aged.Frames, r.Aged.Events, r.Aged.Bytes, r.Aged.Link, r.Aged.Seq)
	}
	if r.Erased > 0 {
		fmt.Fprintf(p.stdout, "%d frames were erased on purpose, with workflows that were forgotten\n", r.Erased)
	}
	verdict := "the log is what was chained"
	if !r.Clean() {
		verdict = "the log is not what was chained: put DIR/log of a mirror or a backup in place; see docs/reliability.md"
	}
	fmt.Fprintf(p.stdout, "frames %d to %d: %d verified, %d before the first usable checkpoint, %d after the end of the chain\n%s %d:%s\n%s\n",
		r.FirstSeq, r.LastSeq, r.Verified, r.Unprovable, r.Unchained, "anchor", r.Head.Seq, r.Head.Link, verdict)
	return nil
}

// printCheckpoints prints the checkpoints in the form that --anchor takes, for keeping them elsewhere.
func (p *program) printCheckpoints(ctx context.Context, of api.Auditor) error {
	kept, err := of.Checkpoints(ctx)
	if err != nil || p.json {
		return errors.Join(err, p.printJSON(kept))
	}
	return table(p.stdout, "ANCHOR\tFRAMES\tEVENTS\tBYTES\tAT", func(add func(string, ...any)) {
		for _, c := range kept {
			add("%s\t%d\t%d\t%d\t%s", streams.Anchor{Seq: c.Seq, Link: c.Link}, c.Frames, c.Events, c.Bytes, clock(c.At))
		}
	})
}
