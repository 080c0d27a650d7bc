package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"assay/internal/query"
	"assay/streams"
)

func (p *program) getCommand() *cobra.Command {
	var proof bool
	cmd := &cobra.Command{
		Use:   "get EVENT",
		Short: "Print an event as it was captured; with --proof, what proves it against the log's chain",
		Long: "Get prints the bytes of an event's record as they came; where they stand in the log, and their link in its chain of hashes,\n" +
			"goes to standard error, or with --json all of it to standard output. EVENT is an event_uuid, or an entity_uuid for its first\n" +
			"event. A proof has the frame and those after it up to the next checkpoint; `assay verify` checks it without the log.",
		Example: "  assay get 1cdacc33-d298-5473-a93a-77920f2c2dda\n  assay get 1cdacc33-d298-5473-a93a-77920f2c2dda --proof > event.proof",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				if proof {
					return v.Prove(ctx, p.stdout, args[0])
				}
				e, err := v.Event(ctx, args[0])
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(e)
				}
				return p.printEvidence(e)
			})
		},
	}
	addPlace(cmd)
	cmd.Flags().BoolVar(&proof, "proof", false, "print what proves the event, as JSON lines")
	return cmd
}

func (p *program) printEvidence(e *query.Evidence) error {
	fmt.Fprintf(p.stderr, "event %s of workflow %s: %s, stream %s, position %d, frame %d, captured %s %s\n",
		e.EventUUID, e.WorkflowID, e.Kind, e.StreamID, e.Position, e.BronzeSeq, clock(e.CapturedAt), zone())
	if e.Chain == nil {
		fmt.Fprintln(p.stderr, "its link in the chain is not known (yet)")
	} else {
		fmt.Fprintf(p.stderr, "link %s, from %s; next checkpoint %s\n", e.Chain.Link, e.Chain.Before, streams.Anchor{Seq: e.Chain.Next.Seq, Link: e.Chain.Next.Link})
	}
	if _, err := p.stdout.Write(e.Raw); err != nil || len(e.Raw) == 0 || e.Raw[len(e.Raw)-1] == '\n' {
		return err
	}
	_, err := fmt.Fprintln(p.stdout)
	return err
}

func (p *program) verifyCommand() *cobra.Command {
	var anchors []string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a proof that `assay get --proof` wrote, without the log",
		Long: "Verify computes the links of a proof and compares the last one with --anchor, a checkpoint that was written down elsewhere\n" +
			"(`assay audit --checkpoints` prints them). It ends with 1 if they differ. FILE may be - for standard input.",
		Example: "  assay verify event.proof --anchor 1024:9f86d0…",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := p.input(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			proved, err := streams.VerifyProof(file)
			if err != nil {
				return err
			}
			return p.printProved(proved, anchors)
		},
	}
	cmd.Flags().StringArrayVar(&anchors, "anchor", nil, "SEQUENCE:LINK as `assay audit --checkpoints` printed it; may be given again")
	return cmd
}

func (p *program) input(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(p.stdin), nil
	}
	return os.Open(name)
}

func (p *program) printProved(proved *streams.Proved, anchors []string) error {
	known := false
	for _, text := range anchors {
		anchor, err := streams.ParseAnchor(text)
		if err != nil {
			return err
		}
		if anchor.Seq == proved.At.Seq {
			if known = anchor == proved.At; !known {
				fmt.Fprintf(p.stdout, "NOT proved: frame %d has link %s, not %s\n", anchor.Seq, proved.At.Link, anchor.Link)
				return errDifference
			}
		}
	}
	if p.json {
		encoder := json.NewEncoder(p.stdout)
		return encoder.Encode(map[string]any{"seq": proved.Seq, "link": proved.Link, "at": proved.At.String(), "anchored": known, "body": proved.Frame.Body})
	}
	f := proved.Frame
	fmt.Fprintf(p.stdout, "frame %d: stream %s, position %d, %d events, %d bytes, captured %s %s, link %s\n",
		proved.Seq, f.Stream, f.Position, f.Count, len(f.Body), clock(f.Captured), zone(), proved.Link)
	if !known && len(anchors) > 0 {
		return errors.New("none of the anchors is of frame " + strconv.FormatUint(proved.At.Seq, 10) + ", with which the proof ends")
	}
	if known {
		fmt.Fprintln(p.stdout, "proved: it leads to the given link")
		return nil
	}
	fmt.Fprintf(p.stdout, "whole in itself; it proves the frame if this link is known from elsewhere: %s\n", proved.At)
	return nil
}
