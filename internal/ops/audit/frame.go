package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/streams"
)

// frameHolds reports whether the frame that a key names holds its event where the key says.
func (a *audit) frameHolds(ctx context.Context, k key) (bool, error) {
	if k.Seq < a.report.FirstSeq {
		return false, nil
	}
	msg, err := a.Log.Bronze().GetMsg(ctx, k.Seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("audit: read sequence %d: %w", k.Seq, err)
	}
	events := a.Silver.Events(streams.MessageOf(msg))
	for i := range events {
		e := &events[i]
		if e.Position == k.Position && e.Disposition == bronze.Kept && silver.EventUUID(a.Silver.Namespace, e) == k.ID {
			return true, nil
		}
	}
	return false, nil
}
