package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"assay/internal/app"
	"assay/internal/query"
	"assay/internal/query/replay"
	"assay/streams"
)

type replayFlags struct {
	source, workflow string
	subjects         []string
	stream           string
	fromSeq, toSeq   uint64
	from, to         string
	speed            float64
	original         bool
	serve            string
	into             string
	shed             float64
}

func (p *program) replayCommand() *cobra.Command {
	var flags replayFlags
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Print raw events exactly as they were captured",
		Long: "Replay prints the bytes of the log's frames, in the order of their capture: by workflow, source, subject, source\n" +
			"stream, sequence or time; with --json one object a frame. Flat out unless --original or --speed keeps the pace of the recording. With --serve it offers\n" +
			"them to clients; with --into it makes tables of them as if another shed threshold had been in force. It asks a running\n" +
			"server, or with --data a directory that no server uses.",
		Example: "  assay replay --workflow sse/000\n" +
			"  assay replay --data D --workflow sse/000\n" +
			"  assay replay --data D --stream jsonrpc/server-memory.ndjson > copy.ndjson\n" +
			"  assay replay --data D --workflow sse/000 --original --serve 127.0.0.1:8080\n" +
			"  assay replay --data D --stream jsonrpc/server-memory.ndjson --serve stdio\n" +
			"  assay replay --data D --into what-if --shed 0.5",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			selection, err := flags.selection()
			if err != nil {
				return err
			}
			selection.JSON = p.json
			return p.withPlace(cmd,
				func(ctx context.Context, server *query.Remote) error {
					if flags.into != "" || flags.serve != "" {
						return errors.New("--into and --serve work on a directory that no server uses: name it with --data")
					}
					return server.Replay(ctx, p.stdout, selection)
				},
				func(ctx context.Context, opened *app.Pipeline) error {
					return p.replay(ctx, opened, flags, selection)
				})
		},
	}
	addServer(cmd)
	addSettings(cmd, "data", "http.token", "nats.url", "nats.credentials")
	f := cmd.Flags()
	f.StringVar(&flags.workflow, "workflow", "", "only this workflow")
	f.StringVar(&flags.source, "source", "", "only this source: sse, jsonrpc, event, otlp or http")
	f.StringVar(&flags.stream, "stream", "", "only this source stream")
	f.StringArrayVar(&flags.subjects, "subject", nil, "only subjects that match, such as bronze.sse.>")
	f.Uint64Var(&flags.fromSeq, "from-seq", 0, "first sequence")
	f.Uint64Var(&flags.toSeq, "to-seq", 0, "last sequence")
	f.StringVar(&flags.from, "from", "", "earliest time of storing (RFC 3339)")
	f.StringVar(&flags.to, "to", "", "latest time of storing (RFC 3339)")
	f.BoolVar(&flags.original, "original", false, "keep the pace of the recording")
	f.Float64Var(&flags.speed, "speed", 0, "so many times the pace of the recording")
	f.StringVar(&flags.serve, "serve", "", "offer it over HTTP at this host:port, or answer as its MCP server on standard input and output: stdio")
	f.StringVar(&flags.into, "into", "", "make tables of the whole log in this new directory, as if --shed had been in force")
	f.Float64Var(&flags.shed, "shed", 0, "with --into: the shed threshold, 0 to 1")
	cmd.MarkFlagsRequiredTogether("into", "shed")
	for _, selects := range []string{"subject", "workflow", "source", "stream", "from-seq", "to-seq", "from", "to", "speed", "original", "serve"} {
		cmd.MarkFlagsMutuallyExclusive("into", selects)
	}
	cmd.MarkFlagsMutuallyExclusive("subject", "workflow")
	cmd.MarkFlagsMutuallyExclusive("subject", "source")
	cmd.MarkFlagsMutuallyExclusive("original", "speed")
	cmd.MarkFlagsMutuallyExclusive("from", "from-seq")
	return cmd
}

// replay does with an opened directory what the flags say.
func (p *program) replay(ctx context.Context, opened *app.Pipeline, flags replayFlags, selection replay.Selection) error {
	switch {
	case flags.into != "":
		return p.try(ctx, opened, flags)
	case flags.serve == serveStdio:
		return p.serveAnswers(ctx, opened, selection)
	case flags.serve != "":
		return p.serveRecording(ctx, opened, flags.serve, selection)
	}
	out := bufio.NewWriter(p.stdout)
	return errors.Join(replay.Write(ctx, out, opened.Log(), selection), out.Flush())
}

func (f *replayFlags) selection() (s replay.Selection, err error) {
	s.Stream, s.FromSeq, s.ToSeq, s.Speed = f.stream, f.fromSeq, f.toSeq, f.speed
	if f.original {
		s.Speed = 1
	}
	if f.speed < 0 {
		return s, fmt.Errorf("--speed %g is not positive", f.speed)
	}
	if s.From, err = parseTime("from", f.from); err != nil {
		return s, err
	}
	if s.To, err = parseTime("to", f.to); err != nil {
		return s, err
	}
	s.Subjects = f.subjects
	if f.workflow != "" || f.source != "" {
		s.Subjects = f.filters()
	}
	return s, checkSource(f.source)
}

// filters returns the subjects of a source and a workflow; one that is not given stands for all.
func (f *replayFlags) filters() []string {
	source, workflow := "*", "*"
	if f.source != "" {
		source = f.source
	}
	if f.workflow != "" {
		workflow = streams.EscapeToken(f.workflow)
	}
	return streams.Subjects(source, workflow)
}
