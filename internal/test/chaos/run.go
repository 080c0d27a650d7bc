package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"assay/internal/query"
)

// Limits of a run.
const (
	runTimeout   = 4 * time.Minute
	restTimeout  = 90 * time.Second       // within which the program comes to rest once the fault is over
	restPoll     = 200 * time.Millisecond // between two looks at that
	nudgeAfter   = 10 * time.Second       // promotions that wait for their next attempt are asked for, as a person would
	notesMax     = 50
	endpointWait = "1s" // how long the program waits for registry and embedding endpoint
)

// Harness runs faults, one after the other, with one build of the program.
type Harness struct {
	Binary  string
	Root    string // of the module, for faults that need another build
	Dir     string // scratch; the directory of a run that found something stays
	Bodies  int    // of the mixture
	Strikes int    // in a run
	Damages int    // in a run of a fault that damages files

	T testing.TB // of whoever runs it: servers that a fault needs live as long

	undisturbed map[string]Snapshot // by load and settings
}

// Run is one run of the program under a fault.
type Run struct {
	Seed      uint64
	Rng       *rand.Rand
	Dir       string // scratch
	Load      *Load
	Program   *Program
	URL       string // of the program
	Registry  *Registry
	Producers *Producers
	Bucket    string            // with the tables; empty: they are in the data directory
	Reached   map[string]string // how it is

	// Settings are arguments of the program that change what comes out, so that the undisturbed run has them too.
	Settings []string

	harness     *Harness
	undisturbed Snapshot
	result      *Result
	cleanups    []func() error
}

// Run disturbs the program once with the fault of that name. What is wrong with the harness itself is an error; what is
// wrong with the program is in the result.
func (h *Harness) Run(ctx context.Context, name string, seed uint64) (*Result, error) {
	begun := time.Now()
	f := faults[name]()
	load := NewLoad(seed, h.Bodies)
	if own, ok := f.(loader); ok {
		load = own.Load()
	}
	r, err := h.newRun(name, seed, load)
	if err != nil {
		return nil, err
	}
	if err = f.Prepare(ctx, r); err == nil { // which may take as long as a build does
		err = r.disturb(ctx, f)
	}
	r.result.Restarts = max(0, r.Program.Starts()-1)
	r.Note("ends: %s", r.Program.Ends())
	r.result.Retries = r.Producers.Retries()
	r.result.Seconds = time.Since(begun).Seconds()
	switch {
	case errors.Is(err, ErrSkip):
		r.result.Skipped = err.Error()
	case err != nil:
		r.Find("the run did not come to its end: %v\nit said: %s", err, lastLines(r.Program.Said()))
	}
	if err := r.close(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	if len(r.result.Findings) == 0 {
		return r.result, os.RemoveAll(r.Dir)
	}
	return r.result, nil
}

func (h *Harness) newRun(name string, seed uint64, load *Load) (*Run, error) {
	dir, err := os.MkdirTemp(h.Dir, fmt.Sprintf("%s-%d-", name, seed))
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(seed, 2))
	registry := NewRegistry(rand.New(rand.NewPCG(seed, 3)))
	address := fmt.Sprintf("127.0.0.1:%d", port)
	r := &Run{
		Seed: seed, Rng: rng, Dir: dir, Load: load, URL: "http://" + address, Registry: registry,
		Producers: NewProducers("http://" + address), harness: h,
		result: &Result{Fault: name, Seed: seed, Bodies: len(load.Bodies), Events: load.Events, Dir: dir},
	}
	r.Program = &Program{Binary: h.Binary, Data: filepath.Join(dir, "data"), Args: append(listenArgs(address),
		"--registry", registry.URL, "--registry-timeout", endpointWait, "--gate-ceiling", "0")}
	return r, nil
}

// listenArgs are the first arguments of the program: where it answers.
func listenArgs(address string) []string { return []string{"--http-listen", address} }

// Cleanup adds to what is done after the run, whatever came of it, last first.
func (r *Run) Cleanup(f func() error) { r.cleanups = append(r.cleanups, f) }

func (r *Run) close(ctx context.Context) error {
	errs := []error{r.Program.Down(ctx, syscall.SIGKILL)}
	r.Registry.Close()
	for _, f := range slices.Backward(r.cleanups) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// freePort returns a port that is free now. The program keeps it over restarts, so that producers find it again.
func freePort() (int, error) {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// disturb is the course of a run.
func (r *Run) disturb(ctx context.Context, f Fault) (err error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	undisturbed, err := r.harness.reference(ctx, r.Load, r.Settings)
	if err != nil {
		return err
	}
	r.Program.Args = append(r.Program.Args, r.Settings...)
	if err := r.Program.Up(ctx); err != nil {
		return err
	}
	if err := r.send(ctx, f); err != nil {
		return err
	}
	if err := f.Heal(ctx, r); err != nil {
		return err
	}
	if err := r.rest(ctx, restTimeout); err != nil {
		return err
	}
	if err := r.Program.Down(ctx, syscall.SIGTERM); err != nil {
		return err
	}
	r.undisturbed = undisturbed
	if err := f.Aftermath(ctx, r); err != nil {
		return err
	}
	found, err := r.judge(ctx)
	r.result.Findings = append(r.result.Findings, found...)
	return err
}

// send lets producers send the load, and the fault strike at moments that are drawn: counts of acknowledged bodies.
func (r *Run) send(ctx context.Context, f Fault) error {
	sent := make(chan error, 1)
	go func() { sent <- r.Producers.Send(ctx, r.Load.Bodies) }()
	for _, moment := range r.moments() {
		err := r.Producers.Reach(ctx, moment)
		if err == nil {
			r.result.Strikes++
			err = f.Strike(ctx, r)
		}
		if err != nil {
			return errors.Join(err, <-sent)
		}
	}
	return <-sent
}

// moments are drawn from the first nine tenths of the load, so that there is always something left to send.
func (r *Run) moments() []int {
	moments := make([]int, r.harness.Strikes)
	for i := range moments {
		moments[i] = r.Rng.IntN(max(1, 9*len(r.Load.Bodies)/10))
	}
	slices.Sort(moments)
	return moments
}

// rest waits until the running program has nothing left to do: no lag, and no promotion that waits.
func (r *Run) rest(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	begun := time.Now()
	for {
		var summary query.Summary
		err := r.ask(ctx, "/v1/status", &summary)
		var lag string
		if err == nil {
			lag, err = r.lag(ctx)
		}
		if err == nil && lag == "0" && summary.Promotions.Pending == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("torture: no rest after %v: lag %q, promotions %+v: %w", within, lag, summary.Promotions, err)
		}
		if time.Since(begun) > nudgeAfter {
			r.nudge(ctx)
		}
		wait(ctx, restPoll)
	}
}

// lag is how many frames Silver has not processed, as the program tells its operators.
func (r *Run) lag(ctx context.Context) (string, error) {
	text, err := r.get(ctx, "/metrics")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, lagMetric+" "); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("torture: /metrics has no %s", lagMetric)
}

// nudge asks for promotions that wait to be tried now. Whether that helps shows at the next look.
func (r *Run) nudge(ctx context.Context) {
	var pending query.PromotionList
	if r.ask(ctx, "/v1/promotions?state=pending&limit=1000", &pending) != nil {
		return
	}
	for _, p := range pending.Promotions {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL+"/v1/promotions/"+p.EventUUID+"/retry", nil)
		if err != nil {
			return
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}
}

func (r *Run) ask(ctx context.Context, path string, into any) error {
	text, err := r.get(ctx, path)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}

// Find adds to what is wrong with the program.
func (r *Run) Find(format string, args ...any) {
	r.result.Findings = append(r.result.Findings, fmt.Sprintf(format, args...))
}

// Note adds to what a reader of the result should know.
func (r *Run) Note(format string, args ...any) {
	if len(r.result.Notes) < notesMax {
		r.result.Notes = append(r.result.Notes, fmt.Sprintf(format, args...))
	}
}

func lastLines(said string) string {
	const lines = 30
	all := strings.Split(strings.TrimSpace(said), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
