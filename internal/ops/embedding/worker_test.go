package embedding

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"go.uber.org/goleak"

	"assay/internal/embed"
	"assay/sovereign/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// row is what the tests look at of an episode.
type row struct {
	ID    string `col:"episode_uuid"`
	Text  string `col:"text"`
	Model string `col:"model"`
	Dims  int64  `col:"dimensions"`
}

// shelf is a Store of episodes in memory that understands the worker's own questions.
type shelf struct {
	mu   sync.Mutex
	rows map[string]row
}

func (s *shelf) pick(where schema.Filter, worker *Worker) []row {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []row
	for _, id := range slices.Sorted(maps.Keys(s.rows)) {
		r := s.rows[id]
		switch {
		case where == worker.pending() && r.Model != worker.Embedder.Model(),
			where == schema.Ne("model", worker.Embedder.Model()) && r.Model != "" && r.Model != worker.Embedder.Model(),
			strings.Contains(where.SQL(), "'"+id+"'"):
			found = append(found, r)
		}
	}
	return found
}

// bound ties a shelf to the worker whose filters it understands.
type bound struct {
	schema.Store
	*shelf
	worker *Worker
}

func (b *bound) Count(_ context.Context, _ string, where schema.Filter) (int64, error) {
	return int64(len(b.pick(where, b.worker))), nil
}

func (b *bound) Query(_ context.Context, q schema.Query) (array.RecordReader, error) {
	schema := schema.EpisodesSchema(2)
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	for _, r := range b.pick(q.Where, b.worker) {
		rows := &rows{builder, r.Model}
		rows.add(&episode{ID: r.ID, Entity: "e", Workflow: "w", Kind: "message", Stream: "s", Text: r.Text}, nil)
	}
	record := builder.NewRecord()
	defer record.Release()
	return array.NewRecordReader(schema, []arrow.Record{record})
}

func (b *bound) Merge(_ context.Context, _ string, record arrow.Record) error {
	r, err := array.NewRecordReader(record.Schema(), []arrow.Record{record})
	if err != nil {
		return err
	}
	defer r.Release()
	merged, err := schema.Scan[row](r)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range merged {
		b.rows[m.ID] = m
	}
	return nil
}

// fussy embeds every text but those that it refuses; before it answers it calls meanwhile.
type fussy struct {
	refuses   string
	meanwhile func()
}

func (fussy) Model() string   { return "fussy" }
func (fussy) Dimensions() int { return 2 }
func (f fussy) Embed(_ context.Context, texts []string) ([][]float32, error) {
	if f.meanwhile != nil {
		f.meanwhile()
	}
	if f.refuses != "" && slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, f.refuses) }) {
		return nil, fmt.Errorf("%w: too long", embed.ErrRefused)
	}
	vectors := make([][]float32, len(texts))
	for i := range texts {
		vectors[i] = []float32{1, 0}
	}
	return vectors, nil
}

func newWorker(embedder schema.Embedder, rows ...row) (*Worker, *shelf) {
	s := &shelf{rows: map[string]row{}}
	for _, r := range rows {
		s.rows[r.ID] = r
	}
	w := New(nil, embedder, slog.New(slog.DiscardHandler))
	w.Store = &bound{shelf: s, worker: w}
	w.Exclusive = func(do func() error) error { return do() }
	return w, s
}

// One text that the model refuses keeps no other from its vector, and is not asked for again.
func TestRefusedText(t *testing.T) {
	var rows []row
	for i := range 300 {
		rows = append(rows, row{ID: fmt.Sprintf("id-%03d", i), Text: fmt.Sprintf("text %03d", i)})
	}
	w, s := newWorker(fussy{refuses: "text 123"}, rows...)
	if err := w.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, r := range s.rows {
		if want := int64(2); r.Model != "fussy" || id != "id-123" && r.Dims != want || id == "id-123" && r.Dims != 0 {
			t.Errorf("%+v", r)
		}
	}
}

// An endpoint that refuses everything is out of order; no episode is given up for that.
func TestEverythingRefused(t *testing.T) {
	w, s := newWorker(fussy{refuses: "s"}, row{ID: "1", Text: "texts"}) // the probe has an s too
	if err := w.catchUp(t.Context()); err == nil || s.rows["1"].Model != "" {
		t.Errorf("%v, %+v; want an error and no model", err, s.rows["1"])
	}
}

// A text that changes while it is being embedded is not overwritten; the new one is embedded next.
func TestTextChangesMeanwhile(t *testing.T) {
	var once sync.Once
	var s *shelf
	w, s := newWorker(fussy{meanwhile: func() {
		once.Do(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.rows["1"] = row{ID: "1", Text: "newer"}
			delete(s.rows, "2")
		})
	}}, row{ID: "1", Text: "older"}, row{ID: "2", Text: "gone"}, row{ID: "3", Text: "stays"})
	if err := w.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.rows) != 2 || s.rows["1"] != (row{"1", "newer", "fussy", 2}) || s.rows["3"] != (row{"3", "stays", "fussy", 2}) {
		t.Errorf("%+v", s.rows)
	}
}

// The vectors of another model are replaced, after which indexes made of them are renewed once.
func TestAnotherModel(t *testing.T) {
	w, s := newWorker(fussy{}, row{ID: "1", Text: "a", Model: "old", Dims: 2}, row{ID: "2", Text: "b"})
	renewed := 0
	w.Renewed = func(context.Context) error { renewed++; return nil }
	for range 2 {
		if err := w.catchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if renewed != 1 || s.rows["1"].Model != "fussy" || s.rows["2"].Model != "fussy" {
		t.Errorf("renewed %d times, %+v", renewed, s.rows)
	}
}

func TestWakeAndStop(t *testing.T) {
	w, s := newWorker(fussy{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	embedded := make(chan struct{})
	w.Renewed = func(context.Context) error { close(embedded); return nil }
	go func() { done <- w.Run(ctx) }()
	s.mu.Lock()
	s.rows["1"] = row{ID: "1", Text: "a", Model: "old"}
	s.mu.Unlock()
	w.Wake()
	select {
	case <-embedded:
	case <-time.After(time.Minute):
		t.Error("nothing was embedded")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
