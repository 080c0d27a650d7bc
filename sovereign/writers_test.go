package sovereign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/sovereign/schema"
)

// order is what a test has another process do to the table of what was shed. Rows are named by their keys and all get Value.
type order struct {
	Do     string // append, merge, delete, claim or optimise
	Keys   []string
	Value  int64
	Epochs Epochs
}

// outcome is what came of an order.
type outcome struct {
	Fenced bool
	Error  string
}

// writer is another process with a store of its own on the same tables.
type writer struct {
	process *exec.Cmd
	orders  *json.Encoder
	answers *json.Decoder
}

// The environment of such a process names the store.
const (
	writerRoot    = "WRITER_STORE"
	writerOptions = "WRITER_OPTIONS"
)

// TestWriterProcess is what such a process runs.
func TestWriterProcess(t *testing.T) {
	root := os.Getenv(writerRoot)
	if root == "" {
		t.Skip("run by other tests")
	}
	var options Options
	if err := json.Unmarshal([]byte(os.Getenv(writerOptions)), &options); err != nil {
		t.Fatal(err)
	}
	store, err := Open(t.Context(), root, options)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	answers := json.NewEncoder(os.Stdout)
	for orders := json.NewDecoder(os.Stdin); ; {
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		err := carryOut(t, store, o)
		answer := outcome{Fenced: errors.Is(err, ErrFenced)}
		if err != nil {
			answer.Error = err.Error()
		}
		if err := answers.Encode(answer); err != nil {
			t.Fatal(err)
		}
	}
}

func carryOut(t *testing.T, store *Store, o order) error {
	fenced := store.Fenced(o.Epochs)
	switch o.Do {
	case "append":
		return fenced.Append(t.Context(), schema.Shed, shedRows(t, o.Keys, o.Value))
	case "merge":
		return fenced.Merge(t.Context(), schema.Shed, shedRows(t, o.Keys, o.Value))
	case "delete":
		return fenced.Delete(t.Context(), schema.Shed, schema.In("shed_id", o.Keys...))
	case "claim":
		return store.on(t.Context(), "claim", schema.Shed, func(t *openTable) error { return t.native.claim(o.Epochs.json()) })
	default:
		return fenced.Optimise(t.Context(), schema.Shed)
	}
}

func startWriter(t *testing.T, root string, options Options) *writer {
	t.Helper()
	text, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	process := exec.Command(os.Args[0], "-test.run=^TestWriterProcess$")
	process.Env = append(os.Environ(), writerRoot+"="+root, writerOptions+"="+string(text))
	process.Stderr = t.Output()
	in, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := process.Wait(); err != nil {
			t.Errorf("a writer ended with %v", err)
		}
	})
	return &writer{process, json.NewEncoder(in), json.NewDecoder(out)}
}

// begin gives an order; its outcome comes later.
func (w *writer) begin(t *testing.T, o order) <-chan outcome {
	t.Helper()
	if err := w.orders.Encode(o); err != nil {
		t.Fatal(err)
	}
	done := make(chan outcome, 1)
	go func() {
		var answer outcome
		if err := w.answers.Decode(&answer); err != nil {
			answer.Error = err.Error()
		}
		done <- answer
	}()
	return done
}

func shedRows(t *testing.T, keys []string, value int64) arrow.Record {
	builder := array.NewRecordBuilder(checkedAllocator(t), schema.ByName(schema.Shed).Schema)
	defer builder.Release()
	for _, key := range keys {
		builder.Field(0).(*array.StringBuilder).Append(key)
		builder.Field(1).(*array.StringBuilder).Append("workflow")
		builder.Field(2).(*array.StringBuilder).Append("text_delta")
		builder.Field(3).(*array.Int64Builder).Append(value)
		builder.Field(4).(*array.Int64Builder).Append(0)
	}
	rows := builder.NewRecord()
	t.Cleanup(rows.Release)
	return rows
}

// Two processes write to one table at the same time, owners of two partitions that pass from one to the other, and one that
// compacts it. What was acknowledged is there, once, and what was refused is not; nothing is acknowledged under an epoch that was
// over before it was begun.
func TestTwoWriters(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 50
	}
	dir := t.TempDir()
	m := &writersModel{
		t: t, store: openStore(t, dir), random: rand.New(rand.NewPCG(20, 7)),
		rows: map[string]int64{}, epochs: Epochs{Partition(0): 1, Partition(1): 1},
	}
	claim(t, m.store, m.epochs)
	writers := []*writer{startWriter(t, dir, Options{}), startWriter(t, dir, Options{})}
	for range rounds {
		orders := []order{m.draw(0), m.draw(1)}
		var outcomes []outcome
		for _, done := range []<-chan outcome{writers[0].begin(t, orders[0]), writers[1].begin(t, orders[1])} {
			outcomes = append(outcomes, <-done)
		}
		m.judge(orders, outcomes)
		m.compare()
		if t.Failed() {
			t.Fatalf("orders %+v, outcomes %+v", orders, outcomes)
		}
	}
}

// writersModel is what the table should be.
type writersModel struct {
	t      *testing.T
	store  *Store
	random *rand.Rand
	rows   map[string]int64
	epochs Epochs
	next   int64
}

// draw chooses what a writer does to rows that only it writes, in the newest epoch of a partition or one that is over.
func (m *writersModel) draw(writer int) order {
	m.next++
	o := order{Value: m.next, Epochs: Epochs{}}
	duty := Partition(m.random.IntN(2))
	o.Epochs[duty] = m.epochs[duty] - uint64(m.random.IntN(4)/3)
	prefix := fmt.Sprintf("%d-", writer)
	var mine []string
	for key := range m.rows {
		if key[:len(prefix)] == prefix {
			mine = append(mine, key)
		}
	}
	slices.Sort(mine)
	m.random.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
	mine = mine[:min(len(mine), 1+m.random.IntN(5))]
	switch n := m.random.IntN(20); {
	case n < 8:
		o.Do, o.Keys = "append", []string{fmt.Sprintf("%s%d", prefix, m.next), fmt.Sprintf("%s%d+", prefix, m.next)}
	case n < 13:
		o.Do, o.Keys = "merge", append(mine, fmt.Sprintf("%s%d", prefix, m.next))
	case n < 16 && len(mine) > 0:
		o.Do, o.Keys = "delete", mine
	case n < 19 || writer == 1:
		o.Do, o.Epochs[duty] = "claim", m.epochs[duty]+1
	default:
		o.Do = "optimise"
	}
	return o
}

// judge takes over what was acknowledged, and looks whether it should have been.
func (m *writersModel) judge(orders []order, outcomes []outcome) {
	before := maps.Clone(m.epochs)
	for i, o := range orders {
		if o.Do == "claim" && outcomes[i].Error == "" {
			maps.Copy(m.epochs, o.Epochs)
		}
	}
	for i, o := range orders {
		duty := slices.Collect(maps.Keys(o.Epochs))[0]
		over, passing := o.Epochs[duty] < before[duty], m.epochs[duty] > before[duty]
		done := outcomes[i].Error == ""
		switch {
		case done && over && o.Do != "optimise": // which commits nothing where there is nothing to do
			m.t.Errorf("order %d was done in an epoch that is over", i)
		case !done && !outcomes[i].Fenced:
			m.t.Errorf("order %d failed", i)
		case !done && !over && !passing:
			m.t.Errorf("order %d was refused although nobody had taken over", i)
		case done:
			m.apply(o)
		}
	}
	if both := orders[0].Do == "claim" && orders[1].Do == "claim" && maps.Equal(orders[0].Epochs, orders[1].Epochs); both &&
		outcomes[0].Fenced == outcomes[1].Fenced {
		m.t.Error("not exactly one of two claims of one epoch was granted")
	}
}

func (m *writersModel) apply(o order) {
	for _, key := range o.Keys {
		if m.rows[key] = o.Value; o.Do == "delete" {
			delete(m.rows, key)
		}
	}
}

func (m *writersModel) compare() {
	ctx := context.WithoutCancel(m.t.Context())
	if err := m.store.Refresh(ctx); err != nil {
		m.t.Fatal(err)
	}
	rows := readAll(m.t, m.store, schema.Query{Table: schema.Shed, Columns: []string{"shed_id", "count"}})
	if got := counts(rows); !maps.Equal(got, m.rows) || rows.NumRows() != int64(len(m.rows)) {
		m.t.Errorf("the table has %d rows %v, want %v", rows.NumRows(), got, m.rows)
	}
}

func counts(rows arrow.Record) map[string]int64 {
	values, got := rows.Column(1).(*array.Int64), map[string]int64{}
	for i, key := range texts(rows, "shed_id") {
		got[key] = values.Value(i)
	}
	return got
}
