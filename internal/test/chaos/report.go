package chaos

import (
	"fmt"
	"slices"
	"strings"
)

// Result is what became of one run.
type Result struct {
	Fault    string
	Seed     uint64
	Bodies   int // acknowledged requests
	Events   int // in them
	Strikes  int
	Restarts int // of the program, whoever ended it
	Retries  int // of requests
	Notes    []string
	Findings []string // nothing, if all is well
	Skipped  string   // why it could not be done here
	Seconds  float64
	Dir      string
}

func (r *Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s seed %d: %d bodies, %d events, %d strikes, %d restarts, %d retries, %.1f s",
		r.Fault, r.Seed, r.Bodies, r.Events, r.Strikes, r.Restarts, r.Retries, r.Seconds)
	if len(r.Notes) > 0 {
		b.WriteString("; " + strings.Join(r.Notes, "; "))
	}
	if r.Skipped != "" {
		b.WriteString("\n  SKIPPED: " + r.Skipped)
	}
	for _, f := range r.Findings {
		b.WriteString("\n  FOUND: " + f)
	}
	if len(r.Findings) > 0 {
		fmt.Fprintf(&b, "\n  left in %s; again: make torture FAULT=%s SEED=%d RUNS=1", r.Dir, r.Fault, r.Seed)
	}
	return b.String()
}

// Table is a Markdown table of results, one row for each fault.
func Table(results []*Result) string {
	var b strings.Builder
	b.WriteString("| fault | runs | strikes | restarts | events | retries | minutes | runs with findings |\n|---|---|---|---|---|---|---|---|\n")
	byFault := map[string][]*Result{}
	var names []string
	for _, r := range results {
		if byFault[r.Fault] == nil {
			names = append(names, r.Fault)
		}
		byFault[r.Fault] = append(byFault[r.Fault], r)
	}
	slices.Sort(names)
	for _, name := range names {
		var sum Result
		runs, wrong, skipped := 0, 0, ""
		for _, r := range byFault[name] {
			if r.Skipped != "" {
				skipped = r.Skipped
				continue
			}
			runs++
			sum.Strikes, sum.Restarts, sum.Events = sum.Strikes+r.Strikes, sum.Restarts+r.Restarts, sum.Events+r.Events
			sum.Retries, sum.Seconds = sum.Retries+r.Retries, sum.Seconds+r.Seconds
			if len(r.Findings) > 0 {
				wrong++
			}
		}
		if runs == 0 {
			fmt.Fprintf(&b, "| %s | 0 | | | | | | not run: %s |\n", name, skipped)
			continue
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %.1f | %d |\n", name, runs, sum.Strikes, sum.Restarts, sum.Events,
			sum.Retries, sum.Seconds/60, wrong)
	}
	return b.String()
}
