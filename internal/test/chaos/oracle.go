package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"assay/internal/query"
	"assay/sovereign/schema"
	"assay/streams"
)

// lagMetric is the program's own measure of how far it is behind.
const lagMetric = "assay_silver_lag_frames"

// deadMax is how many dead letters are asked for.
const deadMax = "10000"

// verdict gathers what is wrong with a data directory.
type verdict struct {
	*Run
	found []string
}

func (v *verdict) add(found ...string) { v.found = append(v.found, found...) }

// judge compares what the stopped program has left with what it acknowledged, and returns what is wrong with it.
func (r *Run) judge(ctx context.Context) ([]string, error) {
	v := &verdict{Run: r}
	for _, step := range []func(context.Context) error{v.finish, v.audit, v.raw, v.compare, v.letters, v.promotions} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return v.found, nil
}

// finish lets the program process what it has not; after a clean stop that is nothing.
func (v *verdict) finish(ctx context.Context) error {
	args := v.Program.Args[len(listenArgs("")):] // it answers nobody
	return v.expect(ctx, "it does not come to its end", append([]string{"run", "--data", v.Program.Data, "--until-idle", "--json"}, args...)...)
}

// What begins a finding of the program's own audits.
const (
	auditFails  = "the audit is not clean"
	chainBroken = "the chain is not whole"
)

// audit asks the program itself.
func (v *verdict) audit(ctx context.Context) error {
	if err := v.expect(ctx, auditFails, append([]string{"audit", "--data", v.Program.Data}, v.Settings...)...); err != nil {
		return err
	}
	return v.expect(ctx, chainBroken, "audit", "--data", v.Program.Data, "--chain")
}

// expect runs a command that must end with status 0.
func (v *verdict) expect(ctx context.Context, otherwise string, args ...string) error {
	out, said, status, err := v.Program.Run(ctx, args...)
	if err == nil && status != 0 {
		v.add(fmt.Sprintf("%s: status %d: %s %s", otherwise, status, lastLines(out), lastLines(said)))
	}
	return err
}

// raw checks that the log still has every line of every body.
func (v *verdict) raw(ctx context.Context) error {
	out, said, status, err := v.Program.Run(ctx, "replay", "--data", v.Program.Data)
	if err != nil {
		return err
	}
	if status != 0 {
		v.add(fmt.Sprintf("the log cannot be replayed: status %d: %s", status, lastLines(said)))
	}
	sent, has := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(out) {
		has[line] = true
	}
	for _, b := range v.Load.Bodies {
		for line := range strings.Lines(string(b.Bytes)) {
			sent[line] = true
			// Where a frame of somebody else has no newline at its end, the next line is not at the beginning of one.
			has[line] = has[line] || strings.Contains(out, line)
		}
	}
	v.add(missing("the log lacks", sent, has)...)
	return nil
}

// compare asks neither the program nor its code: it reads the tables.
func (v *verdict) compare(ctx context.Context) error {
	snapshot, err := v.snapshot(ctx)
	if err != nil {
		v.add(fmt.Sprintf("the tables cannot be read: %v", err))
		return ctx.Err()
	}
	v.add(v.Load.check(snapshot)...)
	v.add(snapshot.Duplicates()...)
	v.add(snapshot.Differences(v.undisturbed)...)
	return nil
}

// letters checks that DEAD has a letter for each event that cannot be decoded, as in the undisturbed run, and none besides.
func (v *verdict) letters(ctx context.Context) error {
	letters, err := v.listLetters(ctx)
	if err != nil {
		return err
	}
	v.add(v.Load.checkLetters(letters, v.undisturbed[streams.StreamDead])...)
	return nil
}

// listLetters asks for the letters of frames. It returns by their raw bytes what they say, what several say alike once.
func (v *verdict) listLetters(ctx context.Context) (map[string][]string, error) {
	var letters []query.Dead
	if err := v.list(ctx, &letters, "dead", "--limit", deadMax); err != nil {
		return nil, err
	}
	said := map[string][]string{}
	for _, l := range letters {
		what := (&Place{l.WorkflowID, l.StreamID, l.Position}).String() + ": " + l.Reason
		if raw := string(l.Raw); l.BronzeSeq > 0 && !slices.Contains(said[raw], what) {
			said[raw] = append(said[raw], what)
		}
	}
	return said, nil
}

// promotions checks what the registry and the table know.
func (v *verdict) promotions(ctx context.Context) error {
	v.add(v.Registry.Check(v.Load.Promotions)...)
	var promotions []query.Promotion
	if err := v.list(ctx, &promotions, "promotions"); err != nil {
		return err
	}
	known := map[string]bool{}
	for _, p := range promotions {
		known[p.EventCID] = true
		if p.State != query.StatePublished || p.URN == "" {
			v.add(fmt.Sprintf("promotion %s is %s, after %d attempts: %s", p.EventCID, p.State, p.Attempts, p.Reason))
		}
	}
	v.add(missing("the table of promotions lacks", v.Load.Promotions, known)...)
	return nil
}

// list runs a command of the program that prints JSON.
func (v *verdict) list(ctx context.Context, into any, args ...string) error {
	out, said, status, err := v.Program.Run(ctx, append(args, "--data", v.Program.Data, "--json")...)
	if err != nil {
		return err
	}
	if status != 0 {
		v.add(fmt.Sprintf("assay %s: status %d: %s", args[0], status, lastLines(said)))
		return nil
	}
	return json.Unmarshal([]byte(out), into)
}

// check compares traces with what the load says by itself, whatever the program makes of it.
func (l *Load) check(s Snapshot) []string {
	stored := map[string]bool{}
	for id := range s[schema.Traces] {
		stored[id] = true
	}
	return missing("traces lacks", l.Identities, stored)
}

// checkLetters compares letters with what the load says by itself, and with those of an undisturbed run. What others have put into
// the log must have a letter, too, whatever that says.
func (l *Load) checkLetters(letters, undisturbed map[string][]string) (found []string) {
	for _, raw := range slices.Sorted(maps.Keys(l.Dead)) {
		place, got := l.Dead[raw], letters[raw]
		switch {
		case len(got) == 0:
			found = append(found, fmt.Sprintf("DEAD lacks %q", raw))
		case place != nil && (!slices.Equal(got, undisturbed[raw]) || len(got) > 1 || !strings.HasPrefix(got[0], place.String()+": ")):
			found = append(found, fmt.Sprintf("DEAD has another %q: %q, undisturbed %q, sent as %s", raw, got, undisturbed[raw], place))
		case slices.ContainsFunc(got, func(what string) bool { return strings.HasSuffix(what, ": ") }):
			found = append(found, fmt.Sprintf("dead letter %q has no reason", raw))
		}
	}
	for _, raw := range slices.Sorted(maps.Keys(letters)) {
		if _, ok := l.Dead[raw]; !ok {
			found = append(found, fmt.Sprintf("DEAD should not have %q: %q", raw, letters[raw]))
		}
	}
	return shorten(found)
}

func (p *Place) String() string { return fmt.Sprintf("%q %q %d", p.Workflow, p.Stream, p.Position) }

// missing lists what is wanted and not there.
func missing(what string, want, got map[string]bool) (found []string) {
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if !got[id] {
			found = append(found, fmt.Sprintf("%s %q", what, id))
		}
	}
	return shorten(found)
}

// reference is what an undisturbed run makes of a load with these settings. It is made once.
func (h *Harness) reference(ctx context.Context, load *Load, settings []string) (s Snapshot, err error) {
	key := load.Name + " " + strings.Join(settings, " ")
	if s, ok := h.undisturbed[key]; ok {
		return s, nil
	}
	r, err := h.newRun("undisturbed", 0, load)
	if err != nil {
		return nil, err
	}
	r.Settings = settings
	r.Program.Args = append(r.Program.Args, settings...)
	if err = r.Program.Up(ctx); err == nil {
		err = r.send(ctx, calm{})
	}
	if err == nil {
		err = r.rest(ctx, restTimeout)
	}
	if err == nil {
		err = r.Program.Down(ctx, syscall.SIGTERM)
	}
	if err == nil { // vectors may still be missing
		err = (&verdict{Run: r}).finish(ctx)
	}
	if err == nil {
		r.undisturbed, err = r.snapshot(ctx)
	}
	if err == nil {
		r.undisturbed[streams.StreamDead], err = (&verdict{Run: r}).listLetters(ctx)
	}
	var found []string
	if err == nil {
		found, err = r.judge(ctx)
	}
	if closeErr := r.close(context.WithoutCancel(ctx)); err == nil {
		err = closeErr
	}
	if err == nil && len(found) > 0 {
		err = errors.New(strings.Join(found, "\n"))
	}
	if err != nil {
		return nil, fmt.Errorf("torture: undisturbed: %w: %s", err, lastLines(r.Program.Said()))
	}
	if h.undisturbed == nil {
		h.undisturbed = map[string]Snapshot{}
	}
	h.undisturbed[key] = r.undisturbed
	return r.undisturbed, nil
}

// get returns what the running program answers.
func (r *Run) get(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL+path, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("torture: GET %s: %s: %s", path, response.Status, text)
	}
	return string(text), err
}
