package model

import (
	"strconv"

	"github.com/google/uuid"

	"assay/kernels"
	"assay/sovereign/schema"
)

// StateVersion changes whenever the meaning of the state does; a store of another version must be rebuilt.
const StateVersion = 14

// Progress says how far the state has come. It is part of every commit.
//
// Rows of traces are numbered by base plus the sequence on SILVER. When that stream was created anew, and so counts from
// one again, base becomes what was applied until then: so the numbers only ever grow.
type Progress struct {
	Version    uint64
	Epoch      string // which SILVER: Options.Epoch
	Base       uint64
	Applied    uint64 // the greatest number committed
	Generation uint64 // commits so far; tells marks of one row apart
	ordinals   uint64 // given to streams and entities so far
}

// Encode writes the record.
func (p *Progress) Encode() []byte {
	var w Encoder
	w.Uint(p.Version)
	w.string(p.Epoch)
	w.Uint(p.Base)
	w.Uint(p.Applied)
	w.Uint(p.Generation)
	w.Uint(p.ordinals)
	return w
}

// NextOrdinal returns an ordinal that was not given before.
func (p *Progress) NextOrdinal() uint64 {
	p.ordinals++
	return p.ordinals
}

// DecodeProgress reads no more than the version of a record of another one, whose rest it does not know.
func DecodeProgress(record []byte) (*Progress, error) {
	d := Decoder{Rest: record}
	p := &Progress{Version: d.Uint()}
	if d.Err != nil || p.Version != StateVersion {
		return p, d.Err
	}
	p.Epoch, p.Base, p.Applied, p.Generation, p.ordinals = d.string(), d.Uint(), d.Uint(), d.Uint(), d.Uint()
	return p, d.End()
}

// Totals count what the state holds. Events = Traces + Shed + Dead, each distinct event once.
type Totals struct {
	Events, Traces, Shed, Dead uint64
	Entities                   uint64
	Capabilities               uint64 // nodes of the graph that are capabilities or models
	Nodes, Edges               uint64 // of the usage graph
}

func (t *Totals) all() []*uint64 {
	return []*uint64{&t.Events, &t.Traces, &t.Shed, &t.Dead, &t.Entities, &t.Capabilities, &t.Nodes, &t.Edges}
}

// Add adds the counts of another state.
func (t *Totals) Add(other Totals) {
	more := other.all()
	for i, n := range t.all() {
		*n += *more[i]
	}
}

// Encode writes the record.
func (t *Totals) Encode() []byte {
	var w Encoder
	for _, v := range t.all() {
		w.Uint(*v)
	}
	return w
}

// DecodeTotals reads what Encode wrote.
func DecodeTotals(record []byte) (*Totals, error) {
	d := Decoder{Rest: record}
	t := &Totals{d.Uint(), d.Uint(), d.Uint(), d.Uint(), d.Uint(), d.Uint(), d.Uint(), d.Uint()}
	return t, d.End()
}

// A log may be divided into partitions by workflow. Each is a Gold of its own, with a state of its own, and what it keeps is a
// function of the events of its workflows alone. What is about several workflows is summed up by whoever reads it: rows of
// metrics and graph tell their partition, and have ids of their own for each. What an event takes back may be another partition's,
// so all partitions hear of that.

// Partition says which part of the log's workflows a Gold folds.
type Partition struct {
	Number, Count int       // one or none: there is one, with everything
	Namespace     uuid.UUID // of the ids of derived rows
}

// single tells whether there is one partition.
func (p Partition) single() bool { return p.Count <= 1 }

// Owns tells whether a workflow belongs to the partition.
func (p Partition) Owns(workflow string) bool {
	return p.single() || kernels.Partition(workflow, p.Count) == p.Number
}

// Column is the partition as rows tell it, -1 where there is one only.
func (p Partition) Column() int64 {
	if p.single() {
		return -1
	}
	return int64(p.Number)
}

// Rows selects the partition's rows of traces.
func (p Partition) Rows() schema.Filter {
	if p.single() {
		return schema.Filter{}
	}
	return schema.Eq("partition", int64(p.Number))
}

// SumsNamespace is the namespace of the ids of rows that sum up the partition.
func (p Partition) SumsNamespace() uuid.UUID {
	if p.single() {
		return p.Namespace
	}
	return kernels.UUID(p.Namespace, kernels.JoinStrings("partition", strconv.Itoa(p.Number)))
}

// Count adds n elements like el, where n may be negative.
func (t *Totals) Count(el ElementKey, n int) {
	if !el.IsNode() {
		t.Edges += uint64(n)
		return
	}
	t.Nodes += uint64(n)
	if el.Source.Kind == NodeCapability || el.Source.Kind == NodeModel {
		t.Capabilities += uint64(n)
	}
}

// TraceCount says what traces has of one workflow, so that nobody has to read its rows to know.
type TraceCount struct {
	Events        int64
	LastBronzeSeq int64 // of the newest frame that brought one of them; it may differ where the same events come again
}

// TraceCountKey is the key of what traces has of a workflow.
func TraceCountKey(workflow string) []byte { return append([]byte{KeyTraces}, workflow...) }

// Encode writes the record.
func (t *TraceCount) Encode() []byte {
	w := make(Encoder, 0, 16)
	w.int(t.Events)
	w.int(t.LastBronzeSeq)
	return w
}

// DecodeTraceCount reads what Encode wrote.
func DecodeTraceCount(record []byte) (*TraceCount, error) {
	d := Decoder{Rest: record}
	t := &TraceCount{d.Int(), d.Int()}
	return t, d.End()
}
