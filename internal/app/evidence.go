package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/internal/query"
	"assay/streams"
)

// evidence reads captured events from the log.
type evidence struct{ pipeline *Pipeline }

var _ query.Log = evidence{}

// Captured implements query.Log. Which record of the frame it is follows from the frame alone, as when it was decoded first.
func (e evidence) Captured(ctx context.Context, seq uint64, eventUUID string) (raw []byte, contentType string, err error) {
	p := e.pipeline
	m, err := p.log.Message(ctx, seq)
	if err != nil {
		return nil, "", gone(err)
	}
	frame, err := streams.ParseFrame(m.Subject, m.Header, m.Data, m.Seq, m.Time)
	if err != nil {
		return nil, "", err
	}
	namespace, err := uuid.Parse(p.opts.Config.Namespace)
	if err != nil {
		return nil, "", err
	}
	events := bronze.NewDecoder(tokenGate(p.opts.Config.Gate)...).Decode(frame, seq)
	for i := range events {
		if silver.EventUUID(namespace, &events[i]).String() == eventUUID {
			return events[i].Raw, frame.ContentType, nil
		}
	}
	return nil, "", fmt.Errorf("%w: frame %d holds no event %s", query.ErrNotFound, seq, eventUUID)
}

// Tie implements query.Log.
func (e evidence) Tie(ctx context.Context, seq uint64) (*streams.Tie, error) {
	tie, err := e.pipeline.log.Tie(ctx, seq)
	if errors.Is(err, streams.ErrChain) {
		return nil, nil // frames before it have left the log: the event is there, its link cannot be told
	}
	return tie, err
}

// Prove implements query.Log.
func (e evidence) Prove(ctx context.Context, w io.Writer, seq uint64) error {
	err := e.pipeline.log.Prove(ctx, w, seq)
	if errors.Is(err, streams.ErrChain) {
		return fmt.Errorf("%w: %w", query.ErrConflict, err)
	}
	return err
}

func gone(err error) error {
	if errors.Is(err, streams.ErrGone) {
		return fmt.Errorf("%w: %w; its limits or assay forget took it", query.ErrNotFound, err)
	}
	return err
}

// Settled implements query.Operations: it tells up to which frame everything is folded: what Silver has acknowledged, whenever Gold has nothing left to fold of it.
func (p operations) Settled(ctx context.Context) (s query.Settled, err error) {
	info, err := p.log.Bronze().Info(ctx)
	if err != nil {
		return s, fmt.Errorf("read stream BRONZE: %w", err)
	}
	refined, err := p.log.SilverConsumer(ctx)
	if err != nil {
		return s, err
	}
	floor := refined.CachedInfo().AckFloor.Stream
	if waiting := refined.CachedInfo(); waiting.NumPending == 0 && waiting.NumAckPending == 0 {
		floor = max(floor, info.State.LastSeq)
	}
	lags, err := p.log.GoldLags(ctx)
	if err != nil {
		return s, err
	}
	if slices.Max(lags) == 0 {
		p.settledTo.Store(max(p.settledTo.Load(), floor))
	}
	s.SettledThrough = min(p.settledTo.Load(), info.State.LastSeq)
	s.Pending = info.State.LastSeq - s.SettledThrough
	return s, nil
}
