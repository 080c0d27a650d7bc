package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/internal/replay"
	"assay/streams"
)

// refine yields what is wanted of the log as rows.
func (a *audit) refine(ctx context.Context) iter.Seq2[*replay.Rows, error] {
	return replay.Refine(ctx, a.Log.Bronze(), a.Silver, a.span(), a.wanted())
}

// frameHolds reports whether the frame that a key names holds its event where the key says.
func (a *audit) frameHolds(ctx context.Context, k key) (bool, error) {
	if k.seq < a.report.FirstSeq || k.seq > a.report.LastSeq {
		return false, nil
	}
	msg, err := a.Log.Bronze().GetMsg(ctx, k.seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("audit: read sequence %d: %w", k.seq, err)
	}
	events := a.Silver.Events(streams.Message{
		Subject: msg.Subject, Header: msg.Header, Data: msg.Data, Bytes: len(msg.Data), Seq: msg.Sequence, Time: msg.Time,
	})
	for i := range events {
		e := &events[i]
		if e.Position == k.position && e.Disposition == bronze.Kept && silver.EventUUID(a.Silver.Namespace, e) == k.id {
			return true, nil
		}
	}
	return false, nil
}
