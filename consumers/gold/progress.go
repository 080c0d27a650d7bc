package gold

// stateVersion changes whenever the meaning of the state does; a store of another version must be rebuilt.
const stateVersion = 12

// progress says how far the state has come. It is part of every commit.
//
// Rows of traces are numbered by base plus the sequence on SILVER. When that stream was created anew, and so counts from
// one again, base becomes what was applied until then: so the numbers only ever grow.
type progress struct {
	version    uint64
	epoch      string // which SILVER: Options.Epoch
	base       uint64
	applied    uint64 // the greatest number committed
	generation uint64 // commits so far; tells marks of one row apart
	ordinals   uint64 // given to streams and entities so far
}

func (p *progress) encode() []byte {
	var w encoder
	w.uint(p.version)
	w.string(p.epoch)
	w.uint(p.base)
	w.uint(p.applied)
	w.uint(p.generation)
	w.uint(p.ordinals)
	return w
}

// nextOrdinal returns an ordinal that was not given before.
func (p *progress) nextOrdinal() uint64 {
	p.ordinals++
	return p.ordinals
}

// decodeProgress reads no more than the version of a record of another one, whose rest it does not know.
func decodeProgress(record []byte) (*progress, error) {
	d := decoder{rest: record}
	p := &progress{version: d.uint()}
	if d.err != nil || p.version != stateVersion {
		return p, d.err
	}
	p.epoch, p.base, p.applied, p.generation, p.ordinals = d.string(), d.uint(), d.uint(), d.uint(), d.uint()
	return p, d.end()
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

func (t *Totals) encode() []byte {
	var w encoder
	for _, v := range t.all() {
		w.uint(*v)
	}
	return w
}

func decodeTotals(record []byte) (*Totals, error) {
	d := decoder{rest: record}
	t := &Totals{d.uint(), d.uint(), d.uint(), d.uint(), d.uint(), d.uint(), d.uint(), d.uint()}
	return t, d.end()
}
