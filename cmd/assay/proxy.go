package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/capture"
	"assay/internal/capture/outbox"
	"assay/internal/capture/proxy"
)

func (p *program) proxyCommand() *cobra.Command {
	var upstream, listen, workflow, spoolDir string
	cmd := &cobra.Command{
		Use:   "proxy --upstream URL",
		Short: "Pass requests to a model API or MCP server on and record them with their answers",
		Long: "Proxy passes requests and streamed answers through as they arrive and records them, also those that are cancelled.\n" +
			"Headers, and so credentials, are never recorded. A request may name its workflow in the header Assay-Workflow.",
		Example: "  assay proxy --upstream https://api.example --listen 127.0.0.1:7080",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := url.Parse(upstream)
			if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
				return fmt.Errorf("--upstream %q is not an http or https URL", upstream)
			}
			return p.withSpool(cmd, spoolDir, func(to *outbox.Spool, limits capture.Limits) error {
				return p.serveProxy(cmd.Context(), listen, proxy.Options{
					Upstream: target, Publisher: to, Limits: limits, Workflow: workflow, Report: p.complain,
				})
			})
		},
	}
	addPlace(cmd)
	addSettings(cmd, limitKeys...)
	addSpool(cmd, &spoolDir)
	cmd.Flags().StringVar(&upstream, "upstream", "", "URL that requests are passed on to")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:7080", "host:port to listen on")
	cmd.Flags().StringVar(&workflow, "workflow", "proxy", "workflow of requests that name none")
	_ = cmd.MarkFlagRequired("upstream") // it exists
	return cmd
}

// proxyHeaderTimeout bounds how long a client may take to say what it wants.
const proxyHeaderTimeout = 30 * time.Second

// serveProxy passes requests on until ctx ends; those under way then have stopTimeout to finish.
func (p *program) serveProxy(ctx context.Context, listen string, opts proxy.Options) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("choose another address with --listen: %w", err)
	}
	handler := proxy.New(opts)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: proxyHeaderTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(p.stderr, "proxy for %s at http://%s\n", opts.Upstream, listener.Addr())
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if stopErr := server.Shutdown(stopping); stopErr != nil {
		err = errors.Join(err, stopErr, server.Close())
	}
	return errors.Join(err, handler.Close(stopping))
}
