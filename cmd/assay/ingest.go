package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"assay/internal/app"
	"assay/internal/capture"
	"assay/internal/config"
	"assay/streams"
)

type ingestFlags struct {
	source, stream, workflow string
	follow                   bool
}

func (p *program) ingestCommand() *cobra.Command {
	var flags ingestFlags
	cmd := &cobra.Command{
		Use:   "ingest PATH…|URL|-",
		Short: "Capture files, directories, standard input or an SSE URL",
		Long: "Ingest captures into a running server, or with --data into a data directory that no server uses (`assay run` then\n" +
			"processes it). What was captured before is left out, so an interrupted ingest is simply repeated.",
		Example: "  assay ingest recordings/ session.ndjson\n" +
			"  tail -f agent.ndjson | assay ingest - --stream agent-1\n" +
			"  assay ingest --follow agent.ndjson\n" +
			"  assay ingest https://api.example/events",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkSource(flags.source); err != nil {
				return err
			}
			return p.withSink(cmd, func(ctx context.Context, sink sink) error { return p.ingest(ctx, sink, args, flags) })
		},
	}
	addPlace(cmd)
	addSettings(cmd, limitKeys...)
	f := cmd.Flags()
	f.StringVar(&flags.source, "source", "", "what the input is: sse, jsonrpc, event, otlp or http (default recognised)")
	f.StringVar(&flags.stream, "stream", "", "source stream (default the path or URL)")
	f.StringVar(&flags.workflow, "workflow", "", "workflow of events that name none (default the path or URL)")
	f.BoolVar(&flags.follow, "follow", false, "go on with what is appended to the file, and with the file that replaces it, until interrupted")
	return cmd
}

// checkSource refuses a --source that is none; "" leaves it to be recognised.
func checkSource(source string) error {
	if source != "" && !streams.Source(source).Valid() {
		return fmt.Errorf("--source %q is none of sse, jsonrpc, event, otlp, http", source)
	}
	return nil
}

// sink is where captured frames go.
type sink struct {
	capture.Publisher
	stored capture.Stored
	limits capture.Limits
}

// limitKeys are the settings that bound what every way of capturing makes of a stream.
var limitKeys = []string{"ingest.event_bytes", "ingest.frame_bytes", "ingest.linger"}

// withSink runs do with the running server, or with the data directory that the flags name.
func (p *program) withSink(cmd *cobra.Command, do func(ctx context.Context, s sink) error) error {
	settings, err := p.settings(cmd)
	if err != nil {
		return err
	}
	limits := app.Limits(settings.Ingest)
	if cmd.Flags().Changed("data") {
		return p.withPipeline(cmd, func(ctx context.Context, opened *app.Pipeline) error {
			return do(ctx, sink{opened.Publisher(), opened.Log().StreamFrames, limits})
		})
	}
	server := remote(cmd, settings)
	return do(cmd.Context(), sink{server, server.Stored, limits})
}

// remote is the running server that the flags name.
func remote(cmd *cobra.Command, settings config.Config) *capture.Remote {
	server, _ := cmd.Flags().GetString("server") // addPlace defined it
	return &capture.Remote{URL: server, Token: settings.HTTP.Token, Client: &http.Client{}}
}

func (p *program) ingest(ctx context.Context, to sink, args []string, flags ingestFlags) error {
	live := &capture.Live{
		Publisher: to.Publisher, Stored: to.stored, Limits: to.limits, Source: streams.Source(flags.source),
		Problem: func(problem capture.Problem) { fmt.Fprintln(p.stderr, "assay:", problem.Error()) },
	}
	isURL := func(arg string) bool { return strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://") }
	switch {
	case len(args) > 1 && (flags.follow || slices.Contains(args, "-") || slices.ContainsFunc(args, isURL)):
		return errors.New("standard input, a URL and --follow take one argument each: start one assay ingest for each source")
	case args[0] == "-":
		in := capture.Input{Path: "standard input", Stream: "stdin", Workflow: "stdin"}
		return p.captured(live.Reader(ctx, named(in, flags), p.stdin))
	case isURL(args[0]):
		in, err := capture.URLInput(args[0])
		if err != nil {
			return err
		}
		return p.captured(live.URL(ctx, &http.Client{}, named(in, flags)))
	}
	inputs, problems, err := capture.Find(args, flags.stream, flags.workflow)
	if err != nil {
		return err
	}
	if flags.follow {
		if len(inputs) != 1 {
			return fmt.Errorf("--follow takes one file, and %s has %d", args[0], len(inputs))
		}
		return p.captured(live.Follow(ctx, inputs[0]))
	}
	return p.ingestInputs(ctx, to, inputs, problems, flags)
}

// named puts the names that were given in place of those found.
func named(in capture.Input, flags ingestFlags) capture.Input {
	if flags.stream != "" {
		in.Stream = flags.stream
	}
	if flags.workflow != "" {
		in.Workflow, in.Named = flags.workflow, true
	}
	return in
}

func (p *program) ingestInputs(ctx context.Context, to sink, inputs []capture.Input, problems []capture.Problem, flags ingestFlags) error {
	bar := p.newBar("ingest", inputs)
	files := &capture.Files{
		Publisher: to.Publisher, Stored: to.stored, Limits: to.limits, Source: streams.Source(flags.source), Progress: bar.add,
	}
	total, more, err := files.Capture(ctx, inputs)
	bar.finish()
	bad := p.report(append(problems, more...))
	if err != nil {
		return err
	}
	if p.json {
		err = p.printJSON(map[string]any{
			"files": total.Files, "frames": total.Frames, "stored_already": total.Stored, "events": total.Events, "bytes": total.Bytes,
			"problems": bad,
		})
	} else {
		fmt.Fprintf(p.stdout, "%d files, %d events, %d bytes in %d frames, %d of which the log had\n",
			total.Files, total.Events, total.Bytes, total.Frames, total.Stored)
	}
	if err == nil && len(bad) > 0 {
		err = fmt.Errorf("%d inputs could not be taken whole", len(bad))
	}
	return err
}

// captured tells how a live capture ended.
func (p *program) captured(result capture.Result, err error) error {
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(result)
	}
	fmt.Fprintf(p.stdout, "%d events, %d bytes in %d frames\n", result.Events, result.Bytes, result.Frames)
	return nil
}
