package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"golang.org/x/sync/errgroup"

	"assay/consumers/bronze"
	"assay/consumers/gold"
	"assay/consumers/silver"
	"assay/internal/capture/framing"
	"assay/internal/embed"
	"assay/sovereign"
	"assay/streams"
)

// How much BenchmarkGoldAgainstAppends folds: groups of so many rows; and how often it takes turns.
const (
	benchGroups = 15
	groupRows   = 16_384
	benchRounds = 3
)

// BenchmarkGoldGrowth tells what an event costs, tables included, around 100 thousand and around 2 million stored ones: there
// over so many groups that the state store's compactions, of which there is one every 50 or so, weigh no less than they do in
// the long run. The state store alone is measured in consumers/gold.
func BenchmarkGoldGrowth(b *testing.B) {
	const few, many, until = 12, 60, 2_000_000/groupRows + 30 // groups
	var at100k, at2M spent
	for range b.N {
		grow(b, 0, few, &at100k)
		grow(b, until-many, until, &at2M)
		grow(b, 0, few, &at100k) // again, for the machine may be slower at one time than at another
	}
	at100k.share(2 * few * groupRows * b.N)
	at2M.share(many * groupRows * b.N)
	b.ReportMetric(at100k.wall.Seconds()*1e6, "µs/event@100k")
	b.ReportMetric(at2M.wall.Seconds()*1e6, "µs/event@2M")
	b.ReportMetric(at2M.wall.Seconds()/at100k.wall.Seconds(), "ratio")
	b.ReportMetric(at2M.cpu.Seconds()/at100k.cpu.Seconds(), "cpu-ratio")
}

// grow folds groups into a Gold of its own, and measures those from one on up to another.
func grow(b *testing.B, from, to int, at *spent) {
	b.Helper()
	bench := newGoldBench(b)
	i := 0
	for record := range recordedGroups(b) {
		fold := func() { bench.foldGroup(b, i, record) }
		if i < from {
			fold()
		} else {
			at.measure(b, fold)
		}
		record.Release()
		if i++; i == to {
			break
		}
	}
	bench.close(b)
}

// BenchmarkGoldAgainstAppends folds recorded streams into a LanceDB store, with flushes in the background as Gold has them
// and one of everything at the end; in turn with appending the rows that it appended to another store, and nothing else.
// of-appends is how many events Gold folds in the time in which the same rows are appended, of-appends-cpu the same by
// processor time: 1 would be free.
func BenchmarkGoldAgainstAppends(b *testing.B) {
	records := silverRecords(b)
	defer release(records)
	var folding, appending spent
	for range b.N * benchRounds {
		bench := newGoldBench(b)
		folding.measure(b, func() { bench.fold(b, records) })
		appending.measure(b, func() { bench.appendKept(b) })
		bench.close(b)
	}
	events := 0.0
	for _, r := range records {
		events += float64(r.NumRows()) * float64(b.N*benchRounds)
	}
	b.ReportMetric(events/folding.wall.Seconds(), "events/s")
	b.ReportMetric(appending.wall.Seconds()/folding.wall.Seconds(), "of-appends")
	b.ReportMetric(appending.cpu.Seconds()/folding.cpu.Seconds(), "of-appends-cpu")
	b.ReportMetric(0, "ns/op") // of no use: it counts both
}

// spent is time, and processor time of the whole process.
type spent struct{ wall, cpu time.Duration }

func (s *spent) measure(b *testing.B, work func()) {
	b.Helper()
	cpu, began := processorTime(b), time.Now()
	work()
	s.wall += time.Since(began)
	s.cpu += processorTime(b) - cpu
}

// share divides what was spent by a number of events.
func (s *spent) share(events int) {
	s.wall /= time.Duration(events)
	s.cpu /= time.Duration(events)
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func release(records []arrow.Record) {
	for _, r := range records {
		r.Release()
	}
}

// silverRecords makes records of Silver of the recorded streams. The caller releases them.
func silverRecords(b *testing.B) (records []arrow.Record) {
	b.Helper()
	for record := range recordedGroups(b) {
		records = append(records, record)
		if len(records) == benchGroups {
			break
		}
	}
	return records
}

// recordedGroups yields records of Silver of the recorded streams, again and again under other names. The caller releases
// them.
func recordedGroups(b *testing.B) iter.Seq[arrow.Record] {
	b.Helper()
	keys, err := bronze.NewKeys(nil)
	if err != nil {
		b.Fatal(err)
	}
	options := silver.DefaultOptions()
	options.Keys = keys
	options.Decoder = bronze.NewDecoder()
	return func(yield func(arrow.Record) bool) {
		batch := options.NewBatch()
		defer batch.Release()
		seq := uint64(0)
		for copies := 0; ; copies++ {
			for _, f := range recordedFrames(b, copies) {
				seq++
				m := f.Msg()
				events := options.Events(streams.Message{Subject: m.Subject, Header: m.Header, Data: m.Data, Seq: seq})
				for i := range events {
					batch.Append(&events[i])
				}
				if batch.Rows() < groupRows {
					continue
				}
				record, err := batch.Record()
				if err != nil {
					b.Fatal(err)
				}
				if !yield(record) {
					return
				}
			}
		}
	}
}

// recordedFrames returns the recorded model streams, a frame each, under names of their own.
func recordedFrames(b *testing.B, copies int) (frames []*streams.Frame) {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(recordings(b)[0], "*.sse"))
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		name := fmt.Sprintf("%d/%s", copies, filepath.Base(file))
		frames = append(frames, &streams.Frame{
			Source: streams.SourceSSE, ContentType: streams.ContentSSE, Workflow: name, Stream: name,
			Count: framing.Count(framing.SSE, body, true), Captured: time.Unix(1_700_000_000, 0), Body: body,
		})
	}
	return frames
}

// goldBench is a Gold over one store, and another store that gets the same rows.
type goldBench struct {
	*gold.Gold
	tables *keeper
	bare   *sovereign.Store
}

// keeper is a store that keeps what is appended to it.
type keeper struct {
	*sovereign.Store
	mu   sync.Mutex
	kept []appended
}

type appended struct {
	table string
	rows  arrow.Record
}

func (k *keeper) Append(ctx context.Context, table string, rows arrow.Record) error {
	rows.Retain()
	k.mu.Lock()
	k.kept = append(k.kept, appended{table, rows})
	k.mu.Unlock()
	return k.Store.Append(ctx, table, rows)
}

// forget releases what was kept.
func (k *keeper) forget() {
	for _, a := range k.kept {
		a.rows.Release()
	}
	k.kept = nil
}

func newGoldBench(b *testing.B) *goldBench {
	b.Helper()
	var stores [2]*sovereign.Store
	for i := range stores {
		var err error
		if stores[i], err = sovereign.Open(b.Context(), b.TempDir(), sovereign.Options{}); err != nil {
			b.Fatal(err)
		}
	}
	bench := &goldBench{tables: &keeper{Store: stores[0]}, bare: stores[1]}
	options := gold.DefaultOptions()
	options.Dir, options.Store, options.Embedder = b.TempDir(), bench.tables, embed.Hashing{}
	options.Logger = slog.New(slog.DiscardHandler)
	var err error
	if bench.Gold, err = gold.Open(b.Context(), options); err != nil {
		b.Fatal(err)
	}
	return bench
}

// fold folds the records, flushes what comes about meanwhile as often as Gold does by itself, and then all.
func (g *goldBench) fold(b *testing.B, records []arrow.Record) {
	b.Helper()
	folding, folded := context.WithCancel(b.Context())
	var group errgroup.Group
	group.Go(func() error { return g.flushUntil(folding) })
	for i, record := range records {
		if err := g.Apply(b.Context(), []gold.Batch{{Seq: uint64(i + 1), Record: record}}); err != nil {
			b.Fatal(err)
		}
	}
	folded()
	if err := errors.Join(group.Wait(), g.FlushAll(b.Context())); err != nil {
		b.Fatal(err)
	}
}

// foldGroup folds the i-th record, and flushes after some.
func (g *goldBench) foldGroup(b *testing.B, i int, record arrow.Record) {
	b.Helper()
	if err := g.Apply(b.Context(), []gold.Batch{{Seq: uint64(i + 1), Record: record}}); err != nil {
		b.Fatal(err)
	}
	const flushGroups = 4 // about as many as there are between two flushes of Gold's own
	if i%flushGroups == flushGroups-1 {
		if err := g.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	g.tables.forget()
}

func (g *goldBench) flushUntil(ctx context.Context) error {
	ticks := time.NewTicker(gold.DefaultOptions().FlushEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			if err := g.Flush(context.WithoutCancel(ctx)); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// appendKept appends what was appended.
func (g *goldBench) appendKept(b *testing.B) {
	b.Helper()
	for _, a := range g.tables.kept {
		if err := g.bare.Append(b.Context(), a.table, a.rows); err != nil {
			b.Fatal(err)
		}
		a.rows.Release()
	}
	g.tables.kept = nil
}

func (g *goldBench) close(b *testing.B) {
	b.Helper()
	for _, end := range []func() error{g.Gold.Close, g.tables.Close, g.bare.Close} {
		if err := end(); err != nil {
			b.Fatal(err)
		}
	}
}
