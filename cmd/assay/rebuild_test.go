package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/nats-io/nats.go/jetstream"

	"assay/internal/app"
	"assay/internal/config"
	"assay/sovereign"
	"assay/sovereign/schema"
	"assay/streams"
)

// whereMet are columns that tell where a row was first met.
var whereMet = []string{"bronze_seq", "silver_seq"}

// whereTold are columns of traces that tell the same of what several records repeat, such as a message of a history: whichever
// was folded first has its row. The audit compares them.
var whereTold = []string{"captured_at", "stream_id", "position", "part"}

// dump returns the rows of the tables in the order of their keys.
func dump(t *testing.T, dir string, names ...string) string {
	t.Helper()
	return dumpWithout(t, dir, whereMet, names...)
}

// dumpWithout leaves columns out.
func dumpWithout(t *testing.T, dir string, hidden []string, names ...string) string {
	t.Helper()
	var all []byte
	tamper(t, dir, func(ctx context.Context, store *sovereign.Store) error {
		for _, name := range names {
			definition := schema.ByName(name)
			var columns []string
			for _, f := range definition.Schema.Fields() {
				if !slices.Contains(hidden, f.Name) && (name != schema.Traces || !slices.Contains(whereTold, f.Name)) {
					columns = append(columns, f.Name)
				}
			}
			reader, err := store.Query(ctx, schema.Query{
				Table: name, Columns: columns, OrderBy: []schema.Order{{Column: definition.Key}},
			})
			if err != nil {
				return err
			}
			defer reader.Release()
			for reader.Next() {
				for row := range int(reader.Record().NumRows()) {
					line, err := json.Marshal(reader.Record().NewSlice(int64(row), int64(row)+1))
					if err != nil {
						return err
					}
					all = fmt.Appendf(all, "%s %s\n", name, line)
				}
			}
			if err := reader.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	return string(all)
}

// derived are the tables that the log determines.
var derived = []string{
	schema.Traces, schema.Entities, schema.Episodes, schema.CapabilityMetrics, schema.UsageGraph, schema.Shed,
}

func TestRebuildGivesTheSameTables(t *testing.T) {
	dir := sampled(t)
	every := append(slices.Clone(derived), schema.Promotions)
	before := dump(t, dir, every...)
	if status, out := runHere(t, "rebuild", "--data", dir); status != exitDone {
		t.Fatalf("status %d: %s", status, out)
	}
	if after := dump(t, dir, every...); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if _, err := os.Stat(filepath.Join(dir, "rebuild")); !os.IsNotExist(err) {
		t.Errorf("the working directory is still there: %v", err)
	}
	// What comes later is folded on top, and what was there is not folded twice.
	if status, _ := runHere(t, "run", "--data", dir, "--sample", "--until-idle", "--log-level", "error"); status != exitDone {
		t.Fatal("run failed")
	}
	if after := dump(t, dir, every...); after != before {
		t.Errorf("running again changed the tables")
	}
}

func TestRunRebuildsWhatWasLost(t *testing.T) {
	dir := sampled(t)
	before := dump(t, dir, derived...)
	for _, lost := range [][]string{{"state"}, {"sovereign"}, {"state", "sovereign"}} {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			for _, name := range lost {
				if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			if status, _ := runHere(t, "audit", "--data", dir); status != exitFailed {
				t.Errorf("an audit that has no state to compare with ended with status %d", status)
			}
			if status, _ := runHere(t, "run", "--data", dir, "--until-idle", "--log-level", "error"); status != exitDone {
				t.Fatal("run failed")
			}
			if after := dump(t, dir, derived...); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			if status, report := audited(t, dir); status != exitDone {
				t.Errorf("audit: %+v", report.Differences)
			}
		})
	}
}

func TestRunRebuildsAStateOfAnotherVersion(t *testing.T) {
	dir := sampled(t)
	before := dump(t, dir, derived...)
	state, err := pebble.Open(filepath.Join(dir, "state"), &pebble.Options{Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	err = state.Set([]byte("P"), []byte{1}, pebble.Sync) // what tells how far it has come begins with its version
	if err = errors.Join(err, state.Close()); err != nil {
		t.Fatal(err)
	}
	if status, _ := runHere(t, "run", "--data", dir, "--until-idle", "--log-level", "error"); status != exitDone {
		t.Fatal("run failed")
	}
	if after := dump(t, dir, derived...); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", only(before, after), only(after, before))
	}
}

// Where the state cannot be used and the log no longer has all frames, the way out is the one that the message names.
func TestRebuildShortensWithoutAState(t *testing.T) {
	dir := sampled(t)
	withLog(t, dir, func(log *streams.Log) {
		if err := log.Bronze().Purge(t.Context(), jetstream.WithPurgeSequence(3)); err != nil {
			t.Fatal(err)
		}
	})
	if err := os.RemoveAll(filepath.Join(dir, "state")); err != nil {
		t.Fatal(err)
	}
	before := dump(t, dir, derived...)
	for _, args := range [][]string{{"run", "--until-idle", "--log-level", "error"}, {"rebuild"}} {
		if status, _ := runHere(t, append(args, "--data", dir)...); status != exitFailed {
			t.Errorf("%s lost rows: status %d", args[0], status)
		}
	}
	if after := dump(t, dir, derived...); after != before {
		t.Error("a refused rebuild changed the tables")
	}
	if status, _ := runHere(t, "rebuild", "--allow-data-loss", "--data", dir); status != exitDone {
		t.Fatal("rebuild --allow-data-loss failed")
	}
	// That frames are missing remains a finding, though none about a table.
	if _, report := audited(t, dir); len(report.Differences) > 0 || report.Frames == 0 {
		t.Errorf("audit: %d frames, %+v", report.Frames, report.Differences)
	}
}

// quiet keeps the state store's chatter out of the test's output.
type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, v ...any) { panic(fmt.Sprintf(format, v...)) }

func TestInterruptedRebuildGoesOn(t *testing.T) {
	dir := sampled(t)
	before := dump(t, dir, derived...)

	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	settings := config.Default()
	settings.Data, settings.Silver.MaxRows = dir, 1 // a part is a frame
	opened := openForRebuild(ctx, t, settings, func(done, _ uint64) {
		if done == 2 {
			interrupt()
		}
	})
	if _, err := opened.Rebuild(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if err := opened.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if after := dump(t, dir, derived...); after != before {
		t.Error("an unfinished rebuild changed the tables")
	}

	opened = openForRebuild(context.Background(), t, settings, func(uint64, uint64) {})
	result, err := opened.Rebuild(context.Background())
	if err = errors.Join(err, opened.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	if result.Resumed < 2 {
		t.Errorf("it went on after %d frames, not 2", result.Resumed)
	}
	if after := dump(t, dir, derived...); after != before {
		t.Errorf("the tables differ after an interrupted rebuild; before:\n%s\nafter:\n%s", only(before, after), only(after, before))
	}
}

func TestReplayIntoAnotherDirectory(t *testing.T) {
	dir := sampled(t)
	into := filepath.Join(t.TempDir(), "trial")
	status, out := runHere(t, "replay", "--data", dir, "--into", into, "--shed", "1", "--json")
	var trial app.Trial
	if err := json.Unmarshal([]byte(out), &trial); err != nil || status != exitDone {
		t.Fatalf("status %d, %q: %v", status, out, err)
	}
	if trial.Now.Shed != 0 || trial.Then.Shed == 0 || trial.Then.Traces+trial.Then.Shed != trial.Now.Traces {
		t.Errorf("%+v", trial)
	}
	if rows := dump(t, into, schema.Traces); strings.Count(rows, "\n") != int(trial.Then.Traces) {
		t.Errorf("%d traces were counted, these were written:\n%s", trial.Then.Traces, rows)
	}
	if status, report := audited(t, dir); status != exitDone {
		t.Errorf("the data directory was changed: %+v", report.Differences)
	}
	if status, _ := runHere(t, "replay", "--data", dir, "--into", into, "--shed", "1"); status != exitFailed {
		t.Error("a directory that exists was taken")
	}
}

func openForRebuild(ctx context.Context, t *testing.T, settings config.Config, progress func(done, total uint64)) *app.Pipeline {
	t.Helper()
	opened, err := openPipeline(ctx, settings, slog.New(slog.DiscardHandler), app.Options{Rebuilding: progress})
	if err != nil {
		t.Fatal(err)
	}
	return opened
}
