package streams

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// SilverLag is how many frames Silver has still to process: those not delivered and those not acknowledged.
func (l *Log) SilverLag(ctx context.Context) (uint64, error) {
	c, err := l.SilverConsumer(ctx)
	if err != nil {
		return 0, err
	}
	info := c.CachedInfo()
	return info.NumPending + uint64(info.NumAckPending), nil
}

// GoldLags are how many batches of each partition are not folded: SILVER keeps them until they are.
func (l *Log) GoldLags(ctx context.Context) ([]uint64, error) {
	info, err := ask(ctx, func(ctx context.Context) (*jetstream.StreamInfo, error) {
		return l.silver.Info(ctx, jetstream.WithSubjectFilter(silverSubjects))
	})
	if err != nil {
		return nil, fmt.Errorf("streams: read stream %s: %w", StreamSilver, err)
	}
	lags := make([]uint64, l.partitions)
	if l.partitions == 1 { // whose consumer takes everything
		lags[0] = info.State.Msgs
		return lags, nil
	}
	for n := range lags {
		lags[n] = info.State.Subjects[silverSubject(n)]
	}
	return lags, nil
}

// ShedPolicy says how much of what can be spared is shed as Silver falls behind. The zero policy sheds nothing.
type ShedPolicy struct {
	Low, High uint64  // watermarks of the lag, in frames
	Ceiling   float64 // threshold at and above High, 0 to 1
}

// Validate reports a policy out of its range. Errors wrap ErrConfig.
func (p ShedPolicy) Validate() error {
	if p.Low > p.High {
		return fmt.Errorf("%w: low watermark %d of shedding is above the high one, %d", ErrConfig, p.Low, p.High)
	}
	if !(p.Ceiling >= 0 && p.Ceiling <= 1) {
		return fmt.Errorf("%w: ceiling of shedding is %v; use 0 to 1", ErrConfig, p.Ceiling)
	}
	return nil
}

// Threshold is the shed threshold for a lag: 0 up to Low, Ceiling from High on, a straight line between.
func (p ShedPolicy) Threshold(lag uint64) float64 {
	switch {
	case lag >= p.High && lag > p.Low:
		return p.Ceiling
	case lag <= p.Low:
		return 0
	}
	return p.Ceiling * float64(lag-p.Low) / float64(p.High-p.Low)
}

// Stamp holds the threshold that capture writes on frames. Reading it costs nothing; Run keeps it up to date.
type Stamp struct {
	policy    ShedPolicy
	lag       func(context.Context) (uint64, error)
	threshold atomic.Uint64 // bits of a float64
}

// NewStamp returns a stamp that measures with lag (Log.SilverLag) and starts at 0.
func NewStamp(policy ShedPolicy, lag func(context.Context) (uint64, error)) *Stamp {
	return &Stamp{policy: policy, lag: lag}
}

// Threshold is the threshold of the last measurement.
func (s *Stamp) Threshold() float64 { return math.Float64frombits(s.threshold.Load()) }

// Refresh measures once. If that fails, the threshold becomes 0: nothing is shed on a guess.
func (s *Stamp) Refresh(ctx context.Context) error {
	lag, err := s.lag(ctx)
	if err != nil {
		lag = 0
	}
	s.threshold.Store(math.Float64bits(s.policy.Threshold(lag)))
	return err
}

// Run measures every interval until ctx ends. failed is told of measurements that fail; they do not end it.
func (s *Stamp) Run(ctx context.Context, interval time.Duration, failed func(error)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := s.Refresh(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
