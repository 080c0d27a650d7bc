package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"assay/internal/app"
	"assay/internal/capture"
	"assay/internal/capture/outbox"
	"assay/internal/capture/tap"
)

func (p *program) tapCommand() *cobra.Command {
	var workflow, stream, spoolDir string
	cmd := &cobra.Command{
		Use:   "tap -- CMD…",
		Short: "Run an MCP or ACP stdio server and record both directions",
		Long: "Tap runs a Model Context Protocol server between a client and its standard input and output. It passes both\n" +
			"directions on untouched and records them, with the server's exit code. While no Assay server takes the recording it is kept on disk (up to 256 MiB)\n" +
			"and sent later; the session goes on in any case.",
		Example: "  assay tap --workflow build-42 -- npx @modelcontextprotocol/server-everything",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if stream == "" {
				stream = "tap/" + uuid.NewString()
			}
			if workflow == "" {
				workflow = stream
			}
			return p.withSpool(cmd, spoolDir, func(to *outbox.Outbox, limits capture.Limits) error {
				signals := make(chan os.Signal, 1)
				signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
				defer signal.Stop(signals)
				// A client that is gone is an error of writing to it, not the end of this process: what passed is still recorded.
				gone := make(chan os.Signal, 1)
				signal.Notify(gone, syscall.SIGPIPE)
				defer signal.Stop(gone)
				// Signals go to the server, which decides what they mean; the session ends when it does.
				code, err := tap.Run(context.WithoutCancel(cmd.Context()), tap.Options{
					Command: args, Stdin: p.stdin, Stdout: p.stdout, Stderr: p.stderr, Signals: signals,
					Publisher: to, Limits: limits, Workflow: workflow, Stream: stream, Report: p.complain,
				})
				if err == nil && code != 0 {
					err = &childExit{code}
				}
				return err
			})
		},
	}
	addPlace(cmd)
	addSettings(cmd, limitKeys...)
	addSpool(cmd, &spoolDir)
	cmd.Flags().StringVar(&workflow, "workflow", "", "workflow of the session (default its stream)")
	cmd.Flags().StringVar(&stream, "stream", "", "id of the session (default a new one)")
	cmd.Flags().SetInterspersed(false) // what follows the command is its own: tap npx -y SERVER
	return cmd
}

func addSpool(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "spool", "", "directory for what cannot be sent yet (default in the user's cache directory)")
}

// spoolStopTimeout is how long a recorder sends, at its end, what waits; not at all while the server is away. The rest is
// sent next time.
const spoolStopTimeout = 5 * time.Second

// withSpool runs do with an outbox in front of the running server that the flags name.
func (p *program) withSpool(cmd *cobra.Command, dir string, do func(to *outbox.Outbox, limits capture.Limits) error) error {
	settings, err := p.settings(cmd)
	if err != nil {
		return err
	}
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("name a directory with --spool: %w", err)
		}
		dir = filepath.Join(cache, "assay", "spool")
	}
	to, err := outbox.Open(dir, remote(cmd, settings), outbox.Options{Report: p.complain, Away: func(reason error) {
		if reason == nil {
			fmt.Fprintf(p.stderr, "assay: what was kept in %s is sent\n", dir)
			return
		}
		p.complain(fmt.Errorf("recording goes on, kept in %s until the server answers: %w", dir, reason))
	}})
	if err != nil {
		return err
	}
	doErr := do(to, app.Limits(settings.Ingest))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), spoolStopTimeout)
	defer cancel()
	if err := to.Close(ctx); err != nil {
		p.complain(fmt.Errorf("what was not sent is kept in %s and sent next time: %w", dir, err))
	}
	return doErr
}

// complain tells of what goes wrong beside the work itself.
func (p *program) complain(err error) { fmt.Fprintln(p.stderr, "assay:", err) }
