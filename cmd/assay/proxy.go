package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/capture"
	"assay/internal/capture/outbox"
	"assay/internal/capture/proxy"
	"assay/internal/httpguard"
)

func (p *program) proxyCommand() *cobra.Command {
	var upstream, listen, workflow, spoolDir string
	cmd := &cobra.Command{
		Use:   "proxy --upstream URL",
		Short: "Pass requests to a model API, MCP or A2A server on and record them with their answers",
		Long: "Proxy passes requests and streamed answers through as they arrive and records them, with HTTP status and times, also\n" +
			"those that are cancelled. Headers, and so credentials, are never recorded.\n\n" +
			"A conversation finds itself: by the header Assay-Workflow, or those that Helicone, Langfuse, OpenRouter and W3C trace\n" +
			"context use; by the body (metadata.session_id and its like, conversation, previous_response_id, prompt_cache_key, user);\n" +
			"else by --workflow where that is given, or by how the conversation begins.",
		Example: "  assay proxy --upstream https://api.openai.com\n" +
			"  export OPENAI_BASE_URL=http://127.0.0.1:7080/v1   # for the application, which needs no other change",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := url.Parse(upstream)
			if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
				return fmt.Errorf("--upstream %q is not an http or https URL", upstream)
			}
			settings, err := p.settings(cmd)
			if err != nil {
				return err
			}
			guard := httpguard.Options{Listen: listen, Hosts: settings.HTTP.Hosts, Origins: settings.HTTP.Origins}
			return p.withSpool(cmd, spoolDir, func(to *outbox.Outbox, limits capture.Limits) error {
				return p.serveProxy(cmd.Context(), guard, proxy.Options{
					Upstream: target, Publisher: to, Limits: limits, Workflow: workflow, Report: p.complain,
				})
			})
		},
	}
	addPlace(cmd)
	addSettings(cmd, append([]string{"http.hosts", "http.origins"}, limitKeys...)...)
	addSpool(cmd, &spoolDir)
	cmd.Flags().StringVar(&upstream, "upstream", "", "URL that requests are passed on to")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:7080", "host:port to listen on")
	cmd.Flags().StringVar(&workflow, "workflow", "", "workflow of requests that name none (default by how the conversation begins)")
	_ = cmd.MarkFlagRequired("upstream") // it exists
	return cmd
}

// proxyHeaderTimeout bounds how long a client may take to say what it wants.
const proxyHeaderTimeout = 30 * time.Second

// serveProxy passes requests on until ctx ends; those under way then have stopTimeout to finish, and as long again to be
// recorded.
func (p *program) serveProxy(ctx context.Context, guard httpguard.Options, opts proxy.Options) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", guard.Listen)
	if err != nil {
		return fmt.Errorf("choose another address with --listen: %w", err)
	}
	handler := proxy.New(opts)
	guarded, err := httpguard.Guard(handler, guard)
	if err != nil {
		return errors.Join(err, listener.Close(), handler.Close(ctx))
	}
	server := &http.Server{Handler: guarded, ReadHeaderTimeout: proxyHeaderTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	p.greet(opts.Upstream, "http://"+listener.Addr().String())
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	return errors.Join(err, stopProxy(context.WithoutCancel(ctx), server, handler))
}

// stopProxy ends the server, at last by force, and then the recordings.
func stopProxy(ctx context.Context, server *http.Server, handler *proxy.Proxy) error {
	stopping, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	err := server.Shutdown(stopping)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	recording, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return errors.Join(err, handler.Close(recording))
}

// greet says what to set where.
func (p *program) greet(upstream *url.URL, address string) {
	openAI := address
	if !strings.HasSuffix(strings.TrimSuffix(upstream.Path, "/"), "/v1") {
		openAI += "/v1"
	}
	fmt.Fprintf(p.stderr, "proxy for %s at %s\n"+
		"set OPENAI_BASE_URL=%s or ANTHROPIC_BASE_URL=%s; the header Assay-Workflow names a conversation\n",
		upstream.Redacted(), address, openAI, address)
}
