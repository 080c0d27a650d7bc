package gold

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/internal/capture/framing"
	"assay/internal/price"
	"assay/sovereign/schema"
	"assay/streams"
)

// TestSamplesInAnyOrder gives the recordings of every format as they came, and then everything twice and in another order, cut and
// grouped differently: entities, metrics and episodes are the same, bit for bit.
func TestSamplesInAnyOrder(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "formats")
	folders, err := os.ReadDir(dir)
	if err != nil {
		t.Skip("no samples of formats at ../shared/formats beside the repository")
	}
	for i, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		t.Run(folder.Name(), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			k := &talk{frames: sampledFrames(t, filepath.Join(dir, folder.Name()), rng, 1<<20)}
			as := amounts(t, k, k.frames, 64)
			k.frames = sampledFrames(t, filepath.Join(dir, folder.Name()), rng, 8)
			shuffled := slices.Concat(k.frames, k.frames)
			rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			if got := amounts(t, k, shuffled, 1+rng.IntN(200)); got != as {
				t.Errorf("in another order and twice it comes to something else: %s", firstDifference(as, got))
			}
		})
	}
}

// amounts is what frames amount to, delivered so many at a time.
func amounts(t *testing.T, k *talk, frames []*streams.Frame, together int) string {
	t.Helper()
	store := newMemory()
	opts := testOptions(store)
	var err error
	if opts.Prices, err = price.New(nil); err != nil {
		t.Fatal(err)
	}
	g := open(t, opts)
	defer g.Close()
	k.deliver(t, g, frames, together)
	if err := g.FlushAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, table := range []string{schema.Entities, schema.CapabilityMetrics, schema.UsageGraph, schema.Episodes} {
		for _, row := range store.tables[table] {
			delete(row, "bytes") // of the capture that was met first: a copy of an event may be a line of another length
			lines = append(lines, fmt.Sprint(table, row))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return fmt.Sprintf("line %d of %d was\n%.2000s\nand is, of %d,\n%.2000s", i, len(as), as[i], len(bs), bs[i])
		}
	}
	return fmt.Sprintf("%d lines, were %d", len(bs), len(as))
}

// reuseIDs are recordings made by hand that give to events of their own the ids which another one's have: of these one counts.
var reuseIDs = []string{"edge_cases.jsonl", "session-malformed.jsonl", "session-compression.jsonl"}

// sampledFrames makes frames of the recordings below a folder, each of at most so many units, cut by chance.
func sampledFrames(t *testing.T, dir string, rng *rand.Rand, units int) (frames []*streams.Frame) {
	t.Helper()
	captured := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) == ".md" || strings.HasSuffix(path, ".truth.json") || slices.Contains(reuseIDs, entry.Name()) {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f := streams.Frame{
			Source: streams.SourceEvent, Workflow: "w", Stream: strings.TrimPrefix(path, dir), ContentType: streams.ContentNDJSON, Captured: captured,
		}
		switch filepath.Ext(path) {
		case ".sse":
			f.Source, f.ContentType, body = streams.SourceSSE, streams.ContentSSE, append(body, "\n\n"...)
		case ".json":
			f.ContentType = streams.ContentJSON
		case ".b64":
			f.ContentType = streams.ContentEventStream
			if body, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(body)), "")); err != nil {
				return err
			}
		}
		frames = append(frames, cutUp(t, f, body, rng, units)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

func cutUp(t *testing.T, f streams.Frame, body []byte, rng *rand.Rand, units int) (frames []*streams.Frame) {
	t.Helper()
	format, err := framing.FormatOf(f.ContentType)
	if err != nil {
		t.Fatal(err)
	}
	held, left := 0, 1+rng.IntN(units)
	end := func() {
		if held == 0 {
			return
		}
		whole := f
		frames = append(frames, &whole)
		f.Position, f.Count, f.Body, held, left = f.Position+uint64(f.Count), 0, nil, 0, 1+rng.IntN(units)
	}
	split := framing.NewSplitter(format, len(body))
	add := func(u framing.Unit) {
		f.Body, f.Count, held = append(slices.Clip(f.Body), u.Raw...), f.Count+u.Events, held+1
		if held == left {
			end()
		}
	}
	for u, err := range split.Write(body) {
		if err != nil {
			t.Fatal(err)
		}
		add(u)
	}
	if tail := split.Tail(); len(tail.Raw) > 0 {
		add(tail)
	}
	end()
	return frames
}
