package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay"
	"assay/internal/app"
	"assay/internal/budget"
	"assay/internal/capture"
	"assay/internal/config"
	"assay/internal/lance"
	"assay/internal/query"
	"assay/internal/query/api"
	"assay/internal/test/sample"
	"assay/streams"
)

// stopTimeout is how long a clean stop may take before what is left is cut off. Nothing durable is lost by that.
const stopTimeout = 30 * time.Second

// A service may take longer, within the minute that systemd and Kubernetes grant: what it was told to stop doing, such as a long
// answer, has serviceHangUp of it.
const (
	serviceStopTimeout = 50 * time.Second
	serviceHangUp      = 10 * time.Second
)

type runFlags struct {
	ingest    []string
	stream    string
	workflow  string
	source    string
	sample    bool
	untilIdle bool
	yes       bool
}

func (p *program) runCommand() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run [--ingest PATH…]",
		Short: "Run the service: log, consumers and HTTP API",
		Long: "Run starts the embedded log (or uses the NATS server named by --nats), all consumers and the HTTP API, and serves\n" +
			"until it is interrupted. Started again on the same data directory it goes on where it was.",
		Example: "  assay run\n" +
			"  assay run --data D --ingest recordings/ --until-idle --json\n" +
			"  assay run --registry https://registry.example --log-max-age 720h",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && len(flags.ingest) == 0 {
				return fmt.Errorf("%q: put --ingest before paths to ingest", args[0])
			}
			flags.ingest = append(flags.ingest, args...)
			return p.run(cmd, flags)
		},
	}
	addSettings(cmd)
	cmd.Flags().StringArrayVar(&flags.ingest, "ingest", nil, "files and directories to ingest; more may follow as arguments")
	cmd.Flags().StringVar(&flags.stream, "stream", "", "source stream of the ingested file (default its path)")
	cmd.Flags().StringVar(&flags.workflow, "workflow", "", "workflow of ingested events that name none (default their file's path)")
	cmd.Flags().StringVar(&flags.source, "source", "", "what the ingested files are: sse, jsonrpc, event, otlp or http (default recognised)")
	cmd.Flags().BoolVar(&flags.sample, "sample", false, "play a generated sample session")
	cmd.Flags().BoolVar(&flags.yes, "yes", false, "keep rows or frames for less than an hour without asking")
	cmd.Flags().BoolVar(&flags.untilIdle, "until-idle", false, "stop when nothing is left to do and print a summary")
	return cmd
}

func (p *program) run(cmd *cobra.Command, flags runFlags) (err error) {
	ctx := cmd.Context()
	settings, err := p.settings(cmd)
	if err != nil {
		return err
	}
	if err := p.confirmBrief(settings, flags.yes); err != nil {
		return err
	}
	logger, err := p.logger()
	if err != nil {
		return err
	}
	if err := checkSource(flags.source); err != nil {
		return err
	}
	for _, path := range flags.ingest {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("--ingest: there is no %s", path)
		}
	}
	// A run that ends by itself answers nobody, so it takes no port unless told to.
	if flags.untilIdle && !cmd.Flags().Changed("http-listen") {
		settings.HTTP.Listen = ""
	}
	begun := time.Now()
	service, err := p.startService(ctx, settings, logger, flags.untilIdle)
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), serviceStopTimeout)
		defer cancel()
		if !flags.untilIdle {
			logger.Info("stopping")
		}
		err = errors.Join(err, service.stop(stopping))
		if err == nil && !flags.untilIdle {
			logger.Info("stopped; everything that was accepted is on disk")
		}
	}()

	problems, err := p.feed(ctx, service.pipeline, flags)
	if err != nil || ctx.Err() != nil {
		return ignoreInterrupt(ctx, err)
	}
	if !flags.untilIdle {
		logger.Info("serving; interrupt to stop", "version", version(), "api", service.url(), "data", settings.Data)
		return service.wait(ctx)
	}
	summary, err := p.finish(ctx, service.pipeline)
	if err != nil {
		return ignoreInterrupt(ctx, err)
	}
	summary.Seconds = time.Since(begun).Seconds()
	summary.Problems = problems
	if err := p.printSummary(summary); err != nil {
		return err
	}
	return errors.Join(ignoreInterrupt(ctx, service.pipeline.ExtendIndexes(ctx)), partial(problems))
}

// confirmBrief asks whether settings that let go within the hour are meant: at once, much would be gone for good.
func (p *program) confirmBrief(settings config.Config, yes bool) error {
	brief := settings.Brief()
	if yes || len(brief) == 0 {
		return nil
	}
	what := strings.Join(brief, ", ")
	if !p.asks() {
		return fmt.Errorf("%s lets go what is older at once and for good: pass --yes if that is meant", what)
	}
	return p.confirm(what + " lets go what is older at once and for good. Go on?")
}

// ignoreInterrupt makes a clean stop of being interrupted: everything accepted is durable, and a restart goes on.
func ignoreInterrupt(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// feed brings the files and the sample session into the log.
func (p *program) feed(ctx context.Context, running *app.Pipeline, flags runFlags) ([]query.Problem, error) {
	var problems []query.Problem
	if len(flags.ingest) > 0 {
		found, err := p.ingestFiles(ctx, running, flags)
		if err != nil {
			return nil, err
		}
		problems = found
	}
	if flags.sample {
		if err := p.play(ctx, running); err != nil {
			return nil, err
		}
	}
	return problems, nil
}

func (p *program) ingestFiles(ctx context.Context, running *app.Pipeline, flags runFlags) ([]query.Problem, error) {
	inputs, problems, err := capture.Find(flags.ingest, flags.stream, flags.workflow)
	if err != nil {
		return nil, err
	}
	bar := p.newBar("ingest", inputs)
	files := running.Files()
	files.Source = streams.Source(flags.source)
	files.Progress = bar.add
	total, more, err := files.Capture(ctx, inputs)
	bar.finish()
	if err != nil {
		return nil, err
	}
	return p.report(capture.Unserved(flags.ingest, total, inputs, append(problems, more...))), nil
}

// report prints what is to be said of inputs, and returns what is wrong with them for the summary.
func (p *program) report(problems []capture.Problem) []query.Problem {
	var reported []query.Problem
	for _, problem := range problems {
		fmt.Fprintln(p.stderr, "assay:", problem.Error())
		if problem.Notice() {
			continue
		}
		reported = append(reported, query.Problem{Path: problem.Path, Error: problem.Err.Error()})
	}
	return reported
}

// play brings the sample session in, as if it had just been captured.
func (p *program) play(ctx context.Context, running *app.Pipeline) error {
	fmt.Fprintf(p.stderr, "playing %s\n", sample.Workflow)
	if err := running.Play(ctx, sample.Frames(time.Now().Add(-sample.Long))); err != nil {
		return fmt.Errorf("sample session: %w", err)
	}
	return nil
}

// finish waits until nothing is left to do, showing how far each layer has come.
func (p *program) finish(ctx context.Context, running *app.Pipeline) (*query.Summary, error) {
	spinner := p.newSpinner()
	defer spinner.finish()
	if err := running.WaitIdle(ctx, spinner.show); err != nil {
		return nil, err
	}
	return running.Summary(ctx)
}

func (p *program) printSummary(s *query.Summary) error {
	if p.json {
		return json.NewEncoder(p.stdout).Encode(s)
	}
	return printStatus(p.stdout, s)
}

// service is a pipeline with its API.
type service struct {
	pipeline *app.Pipeline
	api      *api.Server
	otlp     *otlpServer
	hangUp   context.CancelFunc // ends what clients are sending
}

func (p *program) startService(ctx context.Context, settings config.Config, logger *slog.Logger, untilIdle bool) (*service, error) {
	meter := p.newMeter("rebuild")
	opts := app.Options{Rebuilding: meter.show, Unasked: untilIdle && settings.HTTP.Listen == ""}
	stores := storesOf(settings, opts)
	if !untilIdle { // else who waits for the end is told at once that there will be none
		stores.Within = lance.Within
	}
	opts.Stores = stores
	running, err := openPipeline(ctx, settings, logger, opts)
	meter.finish()
	if err != nil {
		return nil, err
	}
	serving, hangUp := context.WithCancel(ctx)
	s := &service{pipeline: running, hangUp: hangUp}
	if err = running.Start(ctx); err == nil && settings.HTTP.Listen != "" {
		s.api, err = startAPI(serving, settings, running, logger)
	}
	if err == nil && settings.OTLP.Listen != "" {
		s.otlp, err = startOTLP(serving, settings, running, logger)
	}
	if err != nil {
		return nil, errors.Join(err, s.stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// openPipeline opens a data directory; opts say how, where that differs from one command to another.
func openPipeline(ctx context.Context, settings config.Config, logger *slog.Logger, opts app.Options) (*app.Pipeline, error) {
	setCollector(budget.For(settings.Memory))
	return app.Open(ctx, pipelineOptions(settings, logger, opts))
}

// storesOf returns the stores that settings and options describe.
func storesOf(settings config.Config, opts app.Options) lance.Stores {
	stores := lance.For(settings)
	stores.Unasked = opts.Unasked
	return stores
}

// pipelineOptions completes options by what every command has in common.
func pipelineOptions(settings config.Config, logger *slog.Logger, opts app.Options) app.Options {
	opts.Config, opts.NATSConfig, opts.Logger, opts.Version = settings, assay.NATSConfig, logger, version()
	if opts.Stores == nil {
		opts.Stores = storesOf(settings, opts)
	}
	return opts
}

// wait serves until it is interrupted or a part of the service fails.
func (s *service) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.pipeline.Done():
		return s.pipeline.Err()
	}
}

// stop ends the service in two phases: first nothing more comes in, then what came in is finished.
func (s *service) stop(ctx context.Context) error {
	s.hangUp()
	var err error
	if s.api != nil {
		hangUp, cancel := context.WithTimeout(ctx, serviceHangUp)
		defer cancel()
		err = s.api.Stop(hangUp)
	}
	return errors.Join(err, s.otlp.stop(ctx), s.pipeline.Close(ctx))
}

func (s *service) url() string {
	if s.api == nil {
		return "off"
	}
	return s.api.URL()
}
