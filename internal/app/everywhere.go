package app

import (
	"context"

	"assay/consumers/gold"
	"assay/internal/ops/erase"
)

// everywhere is what was folded in all partitions of a fleet, whoever owns them.
type everywhere struct{ pipeline *Pipeline }

var _ erase.Gold = everywhere{}

// Spellings implements erase.Gold.
func (e everywhere) Spellings(workflow string) ([]string, error) {
	r, err := there{e.pipeline, e.pipeline.gold.Of(workflow)}.ask(context.Background(), askWithin, question{Ask: askSpellings, Workflow: workflow})
	if err != nil {
		return nil, err
	}
	return r.Names, nil
}

// Forget implements erase.Gold. The tombstone comes first, so that no worker lets anything of the workflow in any more.
func (e everywhere) Forget(
	ctx context.Context, workflow string, bury func(ctx context.Context, spellings []string) (*gold.EraseScope, error),
) (*gold.Forgotten, error) {
	spellings, err := e.Spellings(workflow)
	if err != nil {
		return nil, err
	}
	if _, err := bury(ctx, spellings); err != nil {
		return nil, err
	}
	t, err := e.pipeline.log.Tombstone(ctx, workflow)
	if err != nil {
		return nil, err
	}
	var sum gold.Forgotten
	own := e.pipeline.gold.Of(workflow)
	err = e.pipeline.allPartitions(ctx, question{Ask: askForget, Tombstone: t}, func(n int, r *reply) {
		if n == own {
			sum = r.Forgotten
		}
	})
	return &sum, err
}

// FlushAll implements erase.Gold.
func (e everywhere) FlushAll(ctx context.Context) error {
	_, err := e.pipeline.flushAll(ctx)
	return err
}

// Compact implements erase.Gold.
func (e everywhere) Compact(ctx context.Context) error {
	return e.pipeline.allPartitions(ctx, question{Ask: askCompact}, func(int, *reply) {})
}
