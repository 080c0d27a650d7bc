package app

import (
	"context"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/internal/ops/rebuild"
	"assay/streams"
)

// Trial is what the log would have become with another shed threshold, and what it has become.
type Trial struct {
	Shed float64        `json:"shed"`
	Now  rebuild.Totals `json:"now"`
	Then rebuild.Totals `json:"then"`
}

// shedding decodes frames as if they had been captured under another shed threshold.
type shedding struct {
	silver.Decoder
	shed float64
}

// Decode implements silver.Decoder.
func (s shedding) Decode(f *streams.Frame, seq uint64) []bronze.Event {
	f.Shed = s.shed
	return s.Decoder.Decode(f, seq)
}

// Try makes tables of the whole log in another directory, as if every frame had been captured under the shed threshold. The
// data directory and the registry are left alone. The pipeline must not have been started.
func (p *Pipeline) Try(ctx context.Context, dir string, shed float64, progress func(done, total uint64)) (*Trial, error) {
	if err := p.settle(ctx); err != nil {
		return nil, err
	}
	options, err := p.rebuildOptions(ctx)
	if err != nil {
		return nil, err
	}
	options.Silver.Decoder = shedding{options.Silver.Decoder, shed}
	options.Data, options.Trial, options.Old, options.Progress = dir, true, nil, progress
	result, err := rebuild.Build(ctx, options)
	if err != nil {
		return nil, err
	}
	return &Trial{Shed: shed, Now: rebuild.Totals(p.gold.Totals()), Then: result.Totals}, rebuild.Swap(dir, rebuild.Targets{})
}
