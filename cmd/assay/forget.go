package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"assay/internal/query"
)

func (p *program) forgetCommand() *cobra.Command {
	var opts query.ForgetOptions
	var yes bool
	cmd := &cobra.Command{
		Use:   "forget WORKFLOW",
		Short: "Remove a workflow from the memory and, with --bronze, from the log",
		Long: "Forget removes a workflow from everything that was made of its events: traces, entities, episodes, metrics, graph,\n" +
			"promotions, dead letters and state. A tombstone keeps a rebuild, a redelivery or an audit from bringing it back; what is\n" +
			"captured of it later is new. The log keeps its frames unless --bronze has them overwritten and removed; frames that also\n" +
			"hold events of other workflows are written again without its own. Promotions that are not published yet are in the way, unless they are abandoned.\n" +
			"It cannot be undone. docs/retention.md says what is left where, and for how long.",
		Example: "  assay forget sample-session\n  assay forget customer-17 --bronze --yes --data D",
		Args:    oneWorkflow,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				if err := p.confirm(fmt.Sprintf("Forget workflow %q for good?", args[0])); err != nil {
					return err
				}
			}
			opts.By = whoAsks()
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				report, err := v.Forget(ctx, args[0], opts)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(report)
				}
				return p.printForgetting(report, opts.Bronze)
			})
		},
	}
	addPlace(cmd)
	cmd.Flags().BoolVar(&opts.Bronze, "bronze", false, "erase its frames in the log, too")
	cmd.Flags().BoolVar(&opts.Abandon, "abandon", false, "give up its promotions that are not published yet")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// errDeclined means that the user thought better of it.
var errDeclined = errors.New("not done")

// asks tells whether somebody sits at a terminal who can be asked.
func (p *program) asks() bool {
	in, ok := p.stdin.(*os.File)
	return ok && term.IsTerminal(int(in.Fd())) && terminal(p.stderr)
}

// confirm asks a user who sits at a terminal; a script has made up its mind.
func (p *program) confirm(question string) error {
	if !p.asks() {
		return nil
	}
	fmt.Fprint(p.stderr, question, " [y/N] ")
	answer, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil || !strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), "y") {
		return errDeclined
	}
	return nil
}

// whoAsks names the user, as far as the system knows.
func whoAsks() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func (p *program) printForgetting(r *query.Forgetting, bronze bool) error {
	fmt.Fprintf(p.stdout, "forgotten up to frame %d: %d events, %d entities, %d promotions, %d dead letters\n",
		r.Through, r.Events, r.Entities, r.Promotions, r.Letters)
	if bronze {
		fmt.Fprintf(p.stdout, "%d frames erased in the log, %d of them written again without its events\n", r.Erased, r.Rewritten)
	} else if r.Frames > 0 {
		fmt.Fprintf(p.stdout, "%d frames stay in the log; --bronze erases them\n", r.Frames)
	}
	if r.Shared > 0 {
		fmt.Fprintf(p.stdout, "%d frames that hold events of other workflows, too, stay in the log\n", r.Shared)
	}
	return nil
}
