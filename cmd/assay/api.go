package main

import (
	"context"
	"log/slog"

	"assay/internal/app"
	"assay/internal/capture/otlp"
	"assay/internal/config"
	"assay/internal/ops/metrics"
	"assay/internal/query/api"
	"assay/internal/query/mcp"
)

// startAPI serves a running pipeline over HTTP. What clients are sending is taken until ctx ends.
func startAPI(ctx context.Context, settings config.Config, running *app.Pipeline, logger *slog.Logger) (*api.Server, error) {
	tools := mcp.Options{View: running.View(), Version: version(), Logger: logger}
	if settings.HTTP.Remember {
		tools.Remember = remember(running.Record)
	}
	registry, telemetry := metrics.NewRegistry(running, logger), running.OTLP()
	registry.MustRegister(buildInfo(), metrics.NewFleet(running), metrics.NewForward(running))
	options := api.Options{
		Listen: settings.HTTP.Listen, Token: settings.HTTP.Token, Hosts: settings.HTTP.Hosts, Origins: settings.HTTP.Origins,
		View: running.View(), Ingest: running.IngestHandler(ctx), Forward: running.ForwardHandler(), Live: api.Live(running.Log(), logger), Audit: running,
		Traces: telemetry.Handler(otlp.Traces), Logs: telemetry.Handler(otlp.Logs), Replay: api.Replay(running.Log()),
		MCP:   mcp.Handler(tools),
		Ready: running.Ready, Metrics: registry, Logger: logger,
	}
	if running.Log().Fleet() {
		options.Fleet = running.FleetStatus
	}
	return api.Start(ctx, options)
}
