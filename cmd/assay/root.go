package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"assay/internal/config"
)

// program carries what all commands share: the streams and the flags that every command has.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	configFile string
	logLevel   string
	json       bool
}

func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr}
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "assay",
		Short: "Durable capture, exactly-once refinement and searchable memory of what AI agents emit",
		Long: "Assay captures what AI agents emit (Server-Sent Events, JSON-RPC, state events) in a durable log, refines it\n" +
			"exactly once and keeps it as memory that can be searched, resumed from, replayed and audited.",
		SilenceUsage: true, SilenceErrors: true, Version: version(),
	}
	flags := root.PersistentFlags()
	flags.StringVar(&p.configFile, "config", os.Getenv("ASSAY_CONFIG"), "settings file (default assay.yaml, if it exists)")
	flags.StringVar(&p.logLevel, "log-level", "info", "least important log lines to show: debug, info, warn, error")
	flags.BoolVar(&p.json, "json", false, "print JSON for scripts")
	root.AddCommand(
		p.runCommand(), p.ingestCommand(), p.tapCommand(), p.proxyCommand(), p.replayCommand(), p.auditCommand(), p.rebuildCommand(),
		p.mcpCommand(), p.workflowsCommand(), p.showCommand(), p.getCommand(), p.verifyCommand(), p.rehydrateCommand(), p.recallCommand(), p.forgetCommand(), p.capabilitiesCommand(), p.graphCommand(), p.promotionsCommand(),
		p.deadCommand(), p.statusCommand(), p.uuidCommand(), p.fleetCommand(),
	)
	return root
}

// logger writes lines of the chosen level to standard error.
func (p *program) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(p.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level %q is none of debug, info, warn, error", p.logLevel)
	}
	return slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: level})), nil
}

// addSettings gives a command a flag for each of the settings; all if none are named.
func addSettings(cmd *cobra.Command, keys ...string) {
	for _, s := range config.Settings {
		if len(keys) == 0 || slices.Contains(keys, s.Key) {
			cmd.Flags().String(s.Flag, "", s.Usage+" ("+config.Env(s.Key)+")")
		}
	}
	for _, old := range config.Renamed() {
		if len(keys) == 0 || slices.Contains(keys, old.Key) {
			cmd.Flags().String(old.Flag, "", "")
			_ = cmd.Flags().MarkHidden(old.Flag) // it fails for a flag that there is not
		}
	}
}

// settings reads the configuration with the flags given to cmd on top.
func (p *program) settings(cmd *cobra.Command) (config.Config, error) {
	given := map[string]string{}
	for _, s := range slices.Concat(config.Settings, config.Renamed()) {
		if flag := cmd.Flags().Lookup(s.Flag); flag != nil && flag.Changed {
			given[s.Key] = flag.Value.String()
		}
	}
	c, err := config.Load(p.configFile, os.Environ(), given)
	for _, note := range c.Notes {
		fmt.Fprintln(p.stderr, "assay:", note)
	}
	return c, err
}
