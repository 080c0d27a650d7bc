package main

import (
	"context"
	"log/slog"

	"assay/internal/api"
	"assay/internal/config"
	"assay/internal/metrics"
	"assay/internal/pipeline"
)

// startAPI serves a running pipeline over HTTP. What clients are sending is taken until ctx ends.
func startAPI(ctx context.Context, settings config.Config, running *pipeline.Pipeline, logger *slog.Logger) (*api.Server, error) {
	return api.Start(ctx, api.Options{
		Listen: settings.HTTP.Listen, Token: settings.HTTP.Token,
		View: running.View(), Ingest: running.IngestHandler(ctx), Live: api.Live(running.Log(), logger), Audit: running,
		Replay: api.Replay(running.Log()),
		Ready:  running.Ready, Metrics: metrics.NewRegistry(running, logger), Logger: logger,
	})
}
