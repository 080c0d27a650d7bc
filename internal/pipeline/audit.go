package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/nats-io/nats.go/jetstream"

	"assay/internal/audit"
)

// ErrBehind means that frames of the log are not in the tables yet, so that they cannot be compared.
var ErrBehind = errors.New("the tables are behind the log")

// Audit compares the tables with the log. The pipeline must not have been started. An error wraps ErrBehind if processing
// was interrupted before it was done.
func (p *Pipeline) Audit(ctx context.Context, workflow string, listMax int, progress func(done, total uint64)) (*audit.Report, error) {
	if err := p.settle(ctx); err != nil {
		return nil, err
	}
	silver, err := p.silverOptions()
	if err != nil {
		return nil, err
	}
	gold, err := p.goldOptions(ctx)
	if err != nil {
		return nil, err
	}
	totals := p.gold.Totals()
	return audit.Run(ctx, audit.Options{
		Log: p.log, Silver: &silver, Gold: gold, Store: p.store, Totals: &totals,
		Dir: filepath.Join(p.opts.Config.Data, auditDir), Workflow: workflow, ListMax: listMax, Progress: progress,
	})
}

// settle writes what the tables still lack of the state, as after a crash, and makes sure that the state lacks nothing.
func (p *Pipeline) settle(ctx context.Context) error {
	silver, err := p.log.SilverConsumer(ctx)
	if err != nil {
		return err
	}
	gold, err := p.log.GoldConsumer(ctx)
	if err != nil {
		return err
	}
	for _, consumer := range []jetstream.Consumer{silver, gold} {
		busy, err := consumerBusy(ctx, consumer)
		if err != nil {
			return err
		}
		if busy {
			return fmt.Errorf("%w: finish with `assay run --data %s --until-idle`, then try again", ErrBehind, p.opts.Config.Data)
		}
	}
	return p.gold.FlushAll(ctx)
}
