package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"assay/consumers/bronze"
	"assay/internal/app"
	"assay/internal/capture"
	"assay/internal/capture/mapping"
	"assay/internal/config"
	"assay/internal/query"
	"assay/streams"
)

type ingestFlags struct {
	source, stream, workflow string
	fields                   string
	follow, dryRun, agents   bool
}

func (p *program) ingestCommand() *cobra.Command {
	var flags ingestFlags
	cmd := &cobra.Command{
		Use:   "ingest PATH…|URL|-|--agents",
		Short: "Capture files, directories, standard input or an SSE URL",
		Long: "Ingest captures into a running server, or with --data into a data directory that no server uses (`assay run` then\n" +
			"processes it). What was captured before is left out, so an interrupted ingest is simply repeated.",
		Example: "  assay ingest recordings/ session.ndjson\n" +
			"  tail -f agent.ndjson | assay ingest - --stream agent-1\n" +
			"  assay ingest --follow agent.ndjson\n" +
			"  assay ingest --map workflow=session_id,intent=call_id --dry-run app.jsonl\n" +
			"  assay ingest --agents --follow\n" +
			"  assay ingest https://api.example/events",
		Args: func(cmd *cobra.Command, args []string) error {
			if flags.agents {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.MinimumNArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkSource(flags.source); err != nil {
				return err
			}
			fields, err := mapping.Parse(flags.fields)
			if err != nil {
				return fmt.Errorf("--map: %w", err)
			}
			if len(fields) > 0 && flags.source == "" {
				flags.source = string(streams.SourceEvent)
			}
			into := p.withSink
			if flags.dryRun {
				into = p.withDryRun
			}
			return into(cmd, func(ctx context.Context, sink sink) error {
				if len(fields) > 0 {
					sink.fields = fields.String()
				}
				if flags.agents {
					return p.ingestAgents(ctx, sink, flags)
				}
				return p.ingest(ctx, sink, args, flags)
			})
		},
	}
	addPlace(cmd)
	addSettings(cmd, limitKeys...)
	f := cmd.Flags()
	f.StringVar(&flags.source, "source", "", "what the input is: sse, jsonrpc, event, otlp or http (default recognised)")
	f.StringVar(&flags.stream, "stream", "", "source stream (default the path or URL)")
	f.StringVar(&flags.workflow, "workflow", "", "workflow of events that name none (default the path or URL)")
	f.StringVar(&flags.fields, "map", "", "which members of your own events hold what, such as workflow=session_id,intent=call_id (docs/events.md)")
	f.BoolVar(&flags.dryRun, "dry-run", false, "store nothing: show the first events as understood, and the members that mean nothing")
	f.BoolVar(&flags.agents, "agents", false, "the transcripts of coding agents, where each of them keeps them")
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
	fields string // the mapping of the user's own events
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
			return do(ctx, sink{opened.Publisher(), opened.Log().StreamFrames, limits, app.Map(settings)})
		})
	}
	server := remote(cmd, settings)
	return do(cmd.Context(), sink{server, server.Stored, limits, app.Map(settings)})
}

// remote is the running server that the flags name.
func remote(cmd *cobra.Command, settings config.Config) *capture.Remote {
	server, _ := cmd.Flags().GetString("server") // addPlace defined it
	return &capture.Remote{URL: server, Token: settings.HTTP.Token, Client: &http.Client{}}
}

func (p *program) ingest(ctx context.Context, to sink, args []string, flags ingestFlags) error {
	live := &capture.Live{
		Publisher: to.Publisher, Stored: to.stored, Limits: to.limits, Source: streams.Source(flags.source), Map: to.fields,
		Problem: func(problem capture.Problem) { fmt.Fprintln(p.stderr, "assay:", problem.Error()) },
	}
	isURL := func(arg string) bool { return strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://") }
	switch {
	case len(args) > 1 && (flags.follow || slices.Contains(args, "-") || slices.ContainsFunc(args, isURL)):
		return errors.New("standard input, a URL and --follow take one argument each: start one assay ingest for each source")
	case args[0] == "-":
		in := capture.Input{Path: "standard input", Stream: "stdin", Workflow: "stdin"}
		dead := &deadWatch{Publisher: to.Publisher, complain: p.complain}
		live.Publisher = dead
		err := p.captured(live.Reader(ctx, named(in, flags), p.stdin))
		return errors.Join(err, dead.sum())
	case isURL(args[0]):
		in, err := capture.URLInput(args[0])
		if err != nil {
			return err
		}
		return p.captured(live.URL(ctx, &http.Client{}, named(in, flags)))
	}
	if flags.follow {
		if info, err := os.Stat(args[0]); err == nil && info.IsDir() {
			return fmt.Errorf("--follow takes one file, and %s is a directory", args[0])
		}
		return p.captured(live.Follow(ctx, capture.FileToCome(args[0], flags.stream, flags.workflow)))
	}
	return p.ingestInputs(ctx, to, args, flags)
}

// ingestAgents captures the transcripts of coding agents, and with --follow what becomes of them until it is interrupted.
func (p *program) ingestAgents(ctx context.Context, to sink, flags ingestFlags) error {
	home, err := os.UserHomeDir()
	if err != nil {
		return fmt.Errorf("--agents: %w", err)
	}
	paths := capture.AgentPaths(home, os.Getenv)
	if len(paths) == 0 {
		return fmt.Errorf("--agents: no transcripts of a known agent below %s; give the folder itself: assay ingest FOLDER", home)
	}
	if !flags.follow {
		return p.ingestInputs(ctx, to, paths, flags)
	}
	files := &capture.Files{Publisher: to.Publisher, Stored: to.stored, Limits: to.limits, Source: streams.Source(flags.source)}
	return files.Follow(ctx, paths, func(total capture.Total, problems []capture.Problem) {
		p.report(problems)
		if total.Frames > total.Stored {
			fmt.Fprintf(p.stdout, "%d files, %d events, %d bytes\n", total.Files, total.Events, total.Bytes)
		}
	})
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

func (p *program) ingestInputs(ctx context.Context, to sink, paths []string, flags ingestFlags) error {
	inputs, problems, err := capture.Find(paths, flags.stream, flags.workflow)
	if err != nil {
		return err
	}
	bar := p.newBar("ingest", inputs)
	files := &capture.Files{
		Publisher: to.Publisher, Stored: to.stored, Limits: to.limits, Source: streams.Source(flags.source), Map: to.fields,
		Progress: bar.add,
	}
	total, more, err := files.Capture(ctx, inputs)
	bar.finish()
	if err != nil {
		p.report(append(problems, more...))
		return err
	}
	bad := p.report(capture.Unserved(paths, total, inputs, append(problems, more...)))
	if p.json {
		err = p.printJSON(map[string]any{
			"files": total.Files, "frames": total.Frames, "stored_already": total.Stored, "events": total.Events, "bytes": total.Bytes,
			"problems": bad,
		})
	} else {
		fmt.Fprintf(p.stdout, "%d files, %d events, %d bytes in %d frames, %d of which the log had\n",
			total.Files, total.Events, total.Bytes, total.Frames, total.Stored)
	}
	return errors.Join(err, partial(bad))
}

// partial is the error of inputs that could not be taken, nil if there are none.
func partial(problems []query.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%w: of %d inputs not all could be taken", errPartial, len(problems))
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
	if result.Unfinished > 0 {
		fmt.Fprintf(p.stderr, "assay: the last %d bytes lack the empty line that ends an event, so they are none\n", result.Unfinished)
	}
	return nil
}

// deadWatch passes frames on and tells what of them cannot be decoded, and so goes to the dead letters.
type deadWatch struct {
	capture.Publisher
	complain func(error)
	dead     int // of one recorder, and so for one goroutine at a time
}

// deadShown is how many events are told of one by one.
const deadShown = 3

// Publish passes the frames on.
func (w *deadWatch) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	acks, err := w.Publisher.Publish(ctx, frames...)
	for _, f := range frames[:len(acks)] {
		for _, e := range bronze.Decode(f, 0) {
			if e.Disposition != bronze.Dead {
				continue
			}
			if w.dead++; w.dead <= deadShown {
				w.complain(fmt.Errorf("event %d cannot be understood: %s", e.Position, e.Reason))
			}
		}
	}
	return acks, err
}

// sum is the error of events that were dead, nil if there were none.
func (w *deadWatch) sum() error {
	if w.dead == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d events are kept as dead letters, see `assay dead`", errPartial, w.dead)
}
