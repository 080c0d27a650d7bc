package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"assay/consumers/bronze"
	"assay/internal/app"
	"assay/internal/query"
	"assay/streams"
)

// dryEventsMax is how many events a dry run shows.
const dryEventsMax = 20

// dryRun is a Publisher that stores nothing: it keeps the first events as they are understood, and counts the members that
// mean nothing.
type dryRun struct {
	mu      sync.Mutex
	events  []bronze.Event
	total   int
	dead    int
	ignored map[string]int // events by member
}

// withDryRun runs do with a sink that stores nothing, and tells what it was given.
func (p *program) withDryRun(cmd *cobra.Command, do func(ctx context.Context, s sink) error) error {
	settings, err := p.settings(cmd)
	if err != nil {
		return err
	}
	run := &dryRun{ignored: map[string]int{}}
	err = do(cmd.Context(), sink{run, nil, app.Limits(settings.Ingest), app.Map(settings)})
	if err != nil && !errors.Is(err, errPartial) {
		return err
	}
	return errors.Join(p.printDryRun(run), err)
}

// Publish decodes the frames.
func (r *dryRun) Publish(_ context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range frames {
		for _, e := range bronze.Decode(f, 0) {
			r.total++
			if e.Disposition == bronze.Dead {
				r.dead++
			}
			if len(r.events) < dryEventsMax {
				r.events = append(r.events, e)
			}
			if e.Part > 0 {
				continue
			}
			for _, name := range bronze.Ignored(f, e.Raw) {
				r.ignored[name]++
			}
		}
	}
	return make([]streams.Ack, len(frames)), nil
}

func (p *program) printDryRun(r *dryRun) error {
	if p.json {
		return p.printJSON(map[string]any{"events": r.total, "dead": r.dead, "ignored": r.ignored})
	}
	if err := printList(p, listing{}, r.events, dryColumns()); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "\n%d events, %d of which cannot be understood; nothing is stored\n", r.total, r.dead)
	if len(r.ignored) == 0 {
		return nil
	}
	names := slices.SortedFunc(maps.Keys(r.ignored), func(a, b string) int {
		if n := r.ignored[b] - r.ignored[a]; n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	fmt.Fprintln(p.stdout, "members that mean nothing (name them with --map, see docs/events.md):")
	for _, name := range names {
		fmt.Fprintf(p.stdout, "  %s, in %d events\n", name, r.ignored[name])
	}
	return nil
}

func dryColumns() []column[bronze.Event] {
	type row = bronze.Event
	return []column[row]{
		{name: "KIND", show: func(e *row) string { return e.Kind }},
		{name: "PHASE", show: func(e *row) string { return string(e.Phase) }},
		{name: "STATUS", hue: query.StatusHue, show: func(e *row) string { return string(e.Status) }},
		{name: "WORKFLOW", show: func(e *row) string { return e.WorkflowID }},
		{name: "INTENT", show: func(e *row) string { return e.IntentID }},
		{name: "AGENT", show: func(e *row) string { return e.AgentID }},
		{name: "TOOL", show: func(e *row) string { return e.Capability }},
		{name: "TIME " + zone(), show: func(e *row) string { return clock(e.Time) }},
		{name: "TEXT", long: true, show: func(e *row) string { return brief(e.Text+e.Error+e.Reason, 60) }},
	}
}
