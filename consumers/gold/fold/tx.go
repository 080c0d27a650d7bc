package fold

import (
	"errors"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
	"github.com/valyala/fastjson"

	"assay/consumers/gold/model"
	"assay/consumers/gold/project"
	"assay/consumers/gold/state"
)

// Batch is one record of SILVER and the sequence of the message that brought it.
type Batch struct {
	Seq    uint64
	Record arrow.Record
}

// Tx is the folding of one group of batches: what it read, what it changed, and the writes that will commit it.
type Tx struct {
	Engine     *Engine
	Opts       *Options
	DB         *state.DB
	seeker     *state.Seeker
	writes     *pebble.Batch
	watermarks map[uint64]*model.HighWatermark // by stream, those of the group
	Identities map[uuid.UUID]*model.Identity
	blocks     map[model.IDBlock]*model.Encoder // what this group adds
	entities   map[uuid.UUID]*touched
	order      []uuid.UUID      // of entities, as they were met
	held       *project.Holding // rows to be appended once this is committed; nil: all are marked instead
	parser     fastjson.Parser
	alone      map[uuid.UUID][]byte // the fragments of this group's events that have ids of their own
	sheds      map[model.ShedKey]*model.ShedCount
	traces     map[string]*model.TraceCount // by workflow, of this group
	lineage    *lineage
	links      links
	Delta      *model.Delta
	Histories  model.HistoryDeltas
	Totals     model.Totals
	progress   model.Progress
	now        time.Time
	unsaid     bool // something is to be noted that was said
	noting     bool // this is the noting
}

// NewTx begins a transaction. The caller closes it.
func (e *Engine) NewTx() *Tx {
	return &Tx{
		Engine: e, Opts: &e.opts, DB: e.DB, seeker: &state.Seeker{From: e.DB}, writes: e.DB.NewBatch(),
		watermarks: map[uint64]*model.HighWatermark{}, Identities: map[uuid.UUID]*model.Identity{},
		blocks: map[model.IDBlock]*model.Encoder{}, entities: map[uuid.UUID]*touched{}, alone: map[uuid.UUID][]byte{},
		sheds: map[model.ShedKey]*model.ShedCount{}, traces: map[string]*model.TraceCount{},
		lineage: newLineage(), links: newLinks(), Delta: model.NewDelta(), Histories: model.HistoryDeltas{}, held: e.tables.NewHolding(),
		Totals: e.DB.Totals, progress: e.DB.Progress, now: e.opts.Now(),
	}
}

// Close frees what the folding holds; what was not committed is forgotten.
func (f *Tx) Close() {
	f.seeker.Close()
	_ = f.writes.Close()
	if f.held != nil {
		f.held.Release()
	}
}

// fold folds what dedup found new and adds to the writes what follows from it.
func (f *Tx) fold(a *deduped) error {
	var ev model.Event
	for i := range a.batches {
		c := &a.batches[i]
		for row, d := range a.actions[i] {
			if d == skipRow {
				continue
			}
			c.Read(row, &ev)
			if err := f.applyEvent(&ev, d); err != nil {
				return err
			}
		}
	}
	return f.Finish()
}

func (f *Tx) applyEvent(ev *model.Event, d rowAction) error {
	known := f.Identities[ev.ID]
	if d == mergeDuplicate {
		return f.mergeEvent(ev, known)
	}
	f.noteLineage(ev)
	return f.Join(ev, known)
}

// Finish adds to the writes what follows from the changed entities.
func (f *Tx) Finish() error {
	f.progress.Generation++
	if err := f.guard(); err != nil {
		return err
	}
	if err := errors.Join(f.markAsked(), f.linkCalls()); err != nil {
		return err
	}
	for _, id := range f.order {
		if e := f.entities[id]; e.changed {
			if err := f.finishEntity(id, e); err != nil {
				return err
			}
		}
	}
	err := errors.Join(
		f.noteHeld(), f.follow(), f.writeWatermarks(), f.writeBlocks(), f.writeLineage(),
		f.writeMetrics(), f.writeElements(), f.writeHistories(), f.writeSheds(), f.writeTraceCounts(),
	)
	if err != nil {
		return err
	}
	return errors.Join(f.Set([]byte{model.KeyProgress}, f.progress.Encode()), f.Set([]byte{model.KeyTotals}, f.Totals.Encode()))
}

// Set writes a record with the commit.
func (f *Tx) Set(key, value []byte) error {
	return state.Wrap("write", f.writes.Set(key, value, nil))
}
