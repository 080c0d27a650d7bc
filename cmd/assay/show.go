package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/query"
)

func (p *program) showCommand() *cobra.Command {
	request := query.ConversationRequest{}
	var at string
	var raw bool
	cmd := &cobra.Command{
		Use:        "show WORKFLOW",
		SuggestFor: []string{"cat", "print", "transcript"},
		Short:      "Show the conversation of a workflow, oldest first, with whole texts",
		Long: "Show prints what was said and done in a workflow: messages, reasoning, calls with their arguments and answers, errors.\n" +
			"Texts are recorded data; what would steer the terminal is shown as \ufffd.",
		Example: "  assay show sample-session\n  assay show sample-session --raw\n  assay show sample-session --json | jq .text",
		Args:    oneWorkflow,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if request.At, err = query.ParseTime(at, time.Now()); err != nil {
				return fmt.Errorf("--at: %w", err)
			}
			return p.withView(cmd, func(ctx context.Context, v query.View) error {
				return p.showConversation(ctx, v, args[0], request, raw)
			})
		},
	}
	addPlace(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&raw, "raw", false, "requests and results of calls as they were captured")
	flags.StringVar(&at, "at", "", "as of this time, or as it was this long ago, such as 90m")
	flags.IntVar(&request.Limit, "limit", 0, "turns to show; 0 shows all")
	flags.StringVar(&request.Cursor, "cursor", "", "go on where --limit ended")
	return cmd
}

// oneWorkflow is cobra.ExactArgs(1) with an error that says what is missing.
func oneWorkflow(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return fmt.Errorf("which workflow? assay %s WORKFLOW; `assay workflows` lists them", cmd.Name())
}

// showConversation prints page after page, all of them unless the request has a limit.
func (p *program) showConversation(ctx context.Context, v query.View, workflow string, request query.ConversationRequest, raw bool) error {
	text, lines, all := query.Transcript{Raw: raw, Zone: time.Local, Colour: p.coloured()}, json.NewEncoder(p.stdout), request.Limit == 0
	for {
		page, err := v.Conversation(ctx, workflow, request)
		if err != nil {
			return err
		}
		if p.json {
			for i := range page.Turns {
				if err := lines.Encode(&page.Turns[i]); err != nil {
					return err
				}
			}
		} else if err := text.Write(p.stdout, page.Turns); err != nil {
			return err
		}
		request.Cursor = page.Next
		switch {
		case page.Next == "":
			return nil
		case !all:
			_, err := fmt.Fprintf(p.stderr, "more with --cursor %s\n", page.Next)
			return err
		}
	}
}
