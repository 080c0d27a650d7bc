package audit

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/bronze"
	"assay/internal/replay"
)

// refine yields what is wanted of the log as rows.
func (a *audit) refine(ctx context.Context) iter.Seq2[*replay.Rows, error] {
	return replay.Refine(ctx, a.Log.Bronze(), a.Silver, a.span(), a.wanted())
}

// frame returns the keys of the rows that one frame makes, none if the log does not have it.
func (a *audit) frame(ctx context.Context, seq uint64) (map[key]struct{}, error) {
	if seq < a.report.FirstSeq || seq > a.report.LastSeq {
		return nil, nil
	}
	if _, err := a.Log.Bronze().GetMsg(ctx, seq); errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	keys := map[key]struct{}{}
	w := newWindow(newLayout("traces"))
	for rows, err := range replay.Refine(ctx, a.Log.Bronze(), a.Silver, replay.Range{From: seq, To: seq}, (*bronze.Event).IsKept) {
		_ = w
		_ = rows
		_ = err
	}
	return keys, nil
}

func clone(s string) string { return strings.Clone(s) }
