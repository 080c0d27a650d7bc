package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/app"
	"assay/internal/config"
	"assay/internal/query"
	"assay/streams"
)

// defaultServer is asked where neither --data nor --server says otherwise.
const defaultServer = "http://127.0.0.1:7070"

// addPlace gives a command the flags that say whom it asks.
func addPlace(cmd *cobra.Command) {
	addServer(cmd)
	addSettings(cmd, "data", "http.token")
}

// addServer gives a command that has settings the flag that names a running server.
func addServer(cmd *cobra.Command) {
	server := os.Getenv("ASSAY_SERVER")
	if server == "" {
		server = defaultServer
	}
	cmd.Flags().String("server", server, "URL of the running server to ask (ASSAY_SERVER)")
}

// withView runs ask on the place that the flags name.
func (p *program) withView(cmd *cobra.Command, ask func(ctx context.Context, v query.View) error) error {
	return p.withPlace(cmd,
		func(ctx context.Context, server *query.Remote) error { return ask(ctx, server) },
		func(ctx context.Context, opened *app.Pipeline) error { return ask(ctx, opened.View()) })
}

// withPlace runs do on the place that the flags name: a data directory that no server uses, or a running server.
func (p *program) withPlace(cmd *cobra.Command,
	remote func(ctx context.Context, server *query.Remote) error, local func(ctx context.Context, opened *app.Pipeline) error,
) error {
	if cmd.Flags().Changed("data") {
		return p.withPipeline(cmd, local)
	}
	server, _ := cmd.Flags().GetString("server") // addServer defined it
	settings, err := p.settings(cmd)
	if err != nil {
		return err
	}
	return remote(cmd.Context(), query.NewRemote(server, settings.HTTP.Token))
}

// withPipeline opens the data directory that the flags name, without processing anything, and runs do on it.
func (p *program) withPipeline(cmd *cobra.Command, do func(ctx context.Context, opened *app.Pipeline) error) error {
	return p.withOptions(cmd, app.Options{}, do)
}

// withOptions is withPipeline with options of the caller's, such as for what may rebuild.
func (p *program) withOptions(
	cmd *cobra.Command, options app.Options, do func(ctx context.Context, opened *app.Pipeline) error,
) (err error) {
	settings, err := p.settings(cmd)
	if err != nil {
		return err
	}
	if err := existing(settings); err != nil {
		return err
	}
	options.Reading = true
	opened, err := openPipeline(cmd.Context(), settings, slog.New(slog.DiscardHandler), options)
	if errors.Is(err, streams.ErrLocked) {
		remedy := "needs the directory to itself: stop the server first"
		if cmd.Flags().Lookup("server") != nil {
			remedy = "asks a server that uses the directory: leave --data out, or give --server URL in its place"
		}
		return fmt.Errorf("`assay %s` %s: %w", cmd.Name(), remedy, err)
	}
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), stopTimeout)
		defer cancel()
		err = errors.Join(err, opened.Close(ctx))
	}()
	return do(cmd.Context(), opened)
}

// existing keeps a mistyped directory from being taken for an empty store.
func existing(settings config.Config) error {
	if info, err := os.Stat(settings.Data); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no data directory %s; `assay run --data %[1]s` makes one", settings.Data)
	}
	return nil
}

// printJSON prints a value for scripts.
func (p *program) printJSON(value any) error {
	encoder := json.NewEncoder(p.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// table prints rows in aligned columns.
func table(w io.Writer, header string, rows func(add func(format string, args ...any))) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, header)
	rows(func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) })
	return t.Flush()
}

// clock prints a time for people in their own zone, "-" for none.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05.000")
}

// zone names the time zone of clock, for the heads of tables.
func zone() string { return time.Now().Format("MST") }

// span prints microseconds for people, "-" for none.
func span(us int64) string {
	if us == 0 {
		return "-"
	}
	return query.Latency(us)
}

// brief prints the beginning of a text on one line.
func brief(text string, runes int) string {
	line := make([]rune, 0, runes)
	for _, r := range text {
		if r == '\n' || r == '\r' || r == '\t' {
			r = ' '
		}
		if len(line) == runes-1 {
			return string(line) + "…"
		}
		line = append(line, r)
	}
	return string(line)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
