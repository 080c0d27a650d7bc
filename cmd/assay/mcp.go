package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/google/uuid"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"assay/internal/app"
	"assay/internal/query"
	"assay/internal/query/mcp"
	"assay/streams"
)

func (p *program) mcpCommand() *cobra.Command {
	var write bool
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Serve the memory to an agent, as an MCP server on standard input and output",
		Long: "Mcp gives an agent tools to recall, list and resume what was recorded. It asks a running server, or reads a data directory\n" +
			"that no server uses. All tools only read, but for remember, which --allow-write adds. `assay run` serves the same at /mcp.",
		Example: "  claude mcp add assay -- assay mcp\n  assay mcp --data D",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withPlace(cmd,
				func(ctx context.Context, server *query.Remote) error {
					return p.serveMCP(ctx, mcp.Options{View: server, Remember: remember(server.Record)}, write)
				},
				func(ctx context.Context, opened *app.Pipeline) error {
					return p.serveMCP(ctx, mcp.Options{View: opened.View(), Remember: remember(opened.Record)}, write)
				})
		},
	}
	addPlace(cmd)
	cmd.Flags().BoolVar(&write, "allow-write", false, "add the tool remember, which stores what the agent says")
	return cmd
}

func (p *program) serveMCP(ctx context.Context, opts mcp.Options, write bool) error {
	if !write {
		opts.Remember = nil
	}
	opts.Version, opts.Logger = version(), slog.New(slog.DiscardHandler)
	err := mcp.Serve(ctx, opts, &sdk.StdioTransport{})
	if ctx.Err() != nil {
		return nil // asked to stop
	}
	return err
}

// remember stores texts as observations by way of what records streams.
func remember(
	record func(ctx context.Context, source streams.Source, workflow, stream string, body []byte) error,
) func(ctx context.Context, workflow, text string) error {
	return func(ctx context.Context, workflow, text string) error {
		id := uuid.NewString()
		event, err := json.Marshal(map[string]any{
			"type": "observation", "event_cid": "remember:" + id, "workflow_id": workflow, "timestamp": time.Now().UTC().Format(time.RFC3339Nano),
			"agent_id": "assay-remember", "payload": map[string]string{"observation": text},
		})
		if err != nil {
			return err
		}
		return record(ctx, streams.SourceEvent, workflow, "remember/"+id, append(event, '\n'))
	}
}
