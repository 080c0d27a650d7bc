package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"assay/internal/config"
	"assay/internal/ops/retention"
	"assay/internal/query"
	"assay/sovereign/schema"
)

// retain drops rows that are beyond the limits that are set, a bounded part of them.
func (p *Pipeline) retain(ctx context.Context) error {
	c := p.opts.Config.Retention
	if c == (config.Retention{}) {
		return nil
	}
	release, err := p.alone(ctx)
	if errors.Is(err, query.ErrConflict) {
		return nil // the next turn comes when the audit is done
	}
	if err != nil {
		return err
	}
	defer release()
	keeper := retention.Keeper{
		Store: p.upkeepStore(), State: p.log.State(), Exclusive: p.gold.BetweenFlushes, Now: time.Now,
		Limits: map[string]retention.Limits{
			schema.Traces: retention.Limits(c.Traces), schema.Entities: retention.Limits(c.Entities),
			schema.Episodes: retention.Limits(c.Episodes), schema.CapabilityMetrics: retention.Limits(c.Metrics),
		},
	}
	return keeper.Round(ctx)
}

// kept tells for each table from when on its rows must be there.
func (p *Pipeline) kept(ctx context.Context) (map[string]time.Time, error) {
	horizons, err := retention.Horizons(ctx, p.log.State())
	if err != nil {
		return nil, err
	}
	kept := map[string]time.Time{}
	for table, h := range horizons {
		kept[table] = h.Before
	}
	return kept, nil
}

// retained tells what was dropped.
func (p *Pipeline) retained(ctx context.Context) ([]query.Retained, error) {
	horizons, err := retention.Horizons(ctx, p.log.State())
	if err != nil {
		return nil, fmt.Errorf("read what was dropped: %w", err)
	}
	var all []query.Retained
	for _, table := range slices.Sorted(maps.Keys(horizons)) {
		h := horizons[table]
		all = append(all, query.Retained{Table: table, Before: h.Before, Dropped: h.Dropped})
	}
	return all, nil
}
