package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/app"
	"assay/internal/fleet"
)

// fleetReplicas is how many copies a fleet's log has where nothing is said.
const fleetReplicas = 3

func (p *program) fleetCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "Show the workers of a cluster, who owns which partition, and how far each is behind",
		Long: "Any number of workers, each started by `assay run --nats URL --store URL`, work on one log and one store. They divide the\n" +
			"partitions of the log among them; when one dies, others take its partitions over.",
		Example: "  assay fleet init --nats nats://a:4222,nats://b:4222,nats://c:4222 --store s3://bucket/memory\n" +
			"  assay fleet --nats nats://a:4222 --watch",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.showFleet(cmd, watch) },
	}
	addSettings(cmd, "nats.url", "nats.credentials")
	cmd.Flags().BoolVar(&watch, "watch", false, "show it again each second")
	cmd.AddCommand(
		p.defineCommand("init", "Define the streams and buckets of a cluster and the tables of a store"),
		p.defineCommand("upgrade", "Change the definitions of a cluster's streams to what the settings say"),
	)
	return cmd
}

func (p *program) defineCommand(name, short string) *cobra.Command {
	var replicas int
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Long: short + ". Nothing else does so on a cluster. The number of partitions is fixed when the log\nis defined: choose it for the" +
			" most workers that there will ever be.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := p.settings(cmd)
			if err != nil {
				return err
			}
			settings.Log.Replicas = replicas
			logger, err := p.logger()
			if err != nil {
				return err
			}
			partitions, err := app.DefineFleet(cmd.Context(), pipelineOptions(settings, logger, app.Options{}))
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "defined: %d partitions, %d replicas, store %s\n", partitions, replicas, settings.Store.URL)
			return nil
		},
	}
	addSettings(cmd)
	cmd.Flags().IntVar(&replicas, "replicas", fleetReplicas, "copies of the log")
	return cmd
}

// showFleet prints who works, until it is interrupted if asked to.
func (p *program) showFleet(cmd *cobra.Command, watch bool) error {
	settings, err := p.settings(cmd)
	if err != nil {
		return err
	}
	looker, err := app.LookAtFleet(cmd.Context(), pipelineOptions(settings, slog.New(slog.DiscardHandler), app.Options{}))
	if err != nil {
		return err
	}
	defer looker.Close()
	for ctx := cmd.Context(); ; {
		s, err := looker.Status(ctx)
		if err == nil {
			err = p.printFleet(s)
		}
		if err != nil || !watch {
			return ignoreInterrupt(ctx, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func (p *program) printFleet(s *fleet.Status) error {
	if p.json {
		return p.printJSON(s)
	}
	err := table(p.stdout, "WORKER\tALIVE\tSTARTED ("+zone()+")\tAPI\tVERSION\tPARTITIONS", func(add func(string, ...any)) {
		for _, m := range s.Members {
			var owned []string
			for _, part := range s.Partitions {
				if part.Owner == m.Name {
					owned = append(owned, strconv.Itoa(part.Partition))
				}
			}
			add("%s\t%t\t%s\t%s\t%s\t%s", m.Name, m.Alive, clock(m.Started), orDash(m.URL), orDash(m.Version), orDash(strings.Join(owned, ",")))
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(p.stdout)
	return table(p.stdout, "PARTITION\tOWNER\tEPOCH\tLAG", func(add func(string, ...any)) {
		for _, part := range s.Partitions {
			add("%d\t%s\t%d\t%d", part.Partition, orDash(part.Owner), part.Epoch, part.Lag)
		}
	})
}
