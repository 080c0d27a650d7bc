package gold

import (
	"errors"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
	"github.com/valyala/fastjson"
)

// Batch is one record of SILVER and the sequence of the message that brought it.
type Batch struct {
	Seq    uint64
	Record arrow.Record
}

// folding is the folding of one group of batches: what it read, what it changed, and the writes that will commit it.
type folding struct {
	g          *Gold
	seeker     *seeker
	writes     *pebble.Batch
	origins    map[uint64]*origin // by stream, those of the group
	identities map[uuid.UUID]*identity
	blocks     map[block]*encoder // what this group adds
	entities   map[uuid.UUID]*folded
	order      []uuid.UUID // of entities, as they were met
	held       *holding    // rows to be appended once this is committed; nil: all are marked instead
	parser     fastjson.Parser
	alone      map[uuid.UUID][]byte // the pieces of this group's events that have ids of their own
	sheds      map[shedKey]*shedCount
	traces     map[string]*TraceCount // by workflow, of this group
	lineage    *lineage
	ledger     *ledger
	histories  histories
	totals     Totals
	progress   progress
	now        time.Time
	unsaid     bool // something is to be noted that was said
	noting     bool // this is the noting
}

// folded is an entity that the group touches.
type folded struct {
	*entity
	before  call
	was     share
	fresh   bool // not stored yet
	changed bool

	// Of this group, not stored yet; they alias its records.
	passage         passage
	request, result *body
	exchange        *body
	asked           *asking
	pieces          []piece // of a fresh one: all its text
	moved           bool    // some of it is no longer where pieces has it
	asks            bool    // some of it is about tool calls
}

func (g *Gold) newFold() *folding {
	return &folding{
		g: g, seeker: &seeker{from: g.state.db}, writes: g.state.db.NewBatch(), origins: map[uint64]*origin{}, identities: map[uuid.UUID]*identity{},
		blocks: map[block]*encoder{}, entities: map[uuid.UUID]*folded{},
		alone: map[uuid.UUID][]byte{}, sheds: map[shedKey]*shedCount{}, traces: map[string]*TraceCount{}, lineage: newLineage(), ledger: newLedger(), histories: histories{},
		held: newHolding(g.opts.Embedder.Dimensions()), totals: g.totals, progress: g.progress, now: g.opts.Now(),
	}
}

// close frees what the folding holds; what was not committed is forgotten.
func (f *folding) close() {
	f.seeker.close()
	_ = f.writes.Close()
	if f.held != nil {
		f.held.release()
	}
}

// fold folds what was admitted and adds to the writes what follows from it.
func (f *folding) fold(a *admitted) error {
	var ev event
	for i := range a.batches {
		c := &a.batches[i]
		for row, d := range a.duties[i] {
			if d == passed {
				continue
			}
			c.read(row, &ev)
			if err := f.event(&ev, d); err != nil {
				return err
			}
		}
	}
	return f.finish()
}

func (f *folding) event(ev *event, d duty) error {
	known := f.identities[ev.id]
	if d == meets {
		return f.again(ev, known)
	}
	f.relate(ev)
	return f.join(ev, known)
}

// join joins a new event to its entity.
func (f *folding) join(ev *event, known *identity) error {
	e, err := f.entity(ev.entity)
	if err != nil {
		return err
	}
	if e.events == 0 {
		f.totals.Entities++
	}
	changed := e.fold(ev)
	e.changed = true
	if ev.speaks() {
		return f.keepFragments(e, ev, known)
	}
	if changed.request {
		e.request = newBody(ev)
		if e.asked = newAsking(f, ev); e.asked != nil {
			e.request.text = string(e.asked.encode())
		}
	}
	if changed.result {
		e.result = newBody(ev)
	}
	if changed.exchange {
		e.exchange = newBody(ev)
	}
	return nil
}

// entity returns the state of an entity, a new one if it is not known.
func (f *folding) entity(id uuid.UUID) (*folded, error) {
	if e := f.entities[id]; e != nil {
		return e, nil
	}
	known, err := loadEntity(f.seeker, id)
	unreadable := errors.Is(err, errUnreadable)
	if unreadable { // it begins anew, and without what was stored of it until a rebuild
		if err := f.g.setAside(f.writes, aside{id: err}); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	e := &folded{entity: known, fresh: known == nil}
	if e.fresh {
		e.entity = newEntity(f.progress.nextOrdinal())
		if unreadable {
			e.rows = 1 + MaxParts // that the tables may have
		}
	} else {
		e.before, e.was = callOf(id, known), shareOf(id, known)
	}
	f.entities[id] = e
	f.order = append(f.order, id)
	return e, nil
}

func (f *folding) keepFragments(e *folded, ev *event, known *identity) error {
	e.asks = e.asks || strings.Contains(ev.fragments, fragmentOfCall)
	if e.fresh {
		e.pieces = append(e.pieces, piece{ev.place, []byte(ev.fragments)})
	}
	if known.placed {
		var alone passage
		alone.add(ev)
		f.alone[ev.id] = alone.record
		return f.writePassage(e.ordinal, &alone)
	}
	if e.passage.add(ev) {
		return nil
	}
	err := f.writePassage(e.ordinal, &e.passage)
	e.passage = passage{}
	e.passage.add(ev)
	return err
}

func (f *folding) writePassage(ordinal uint64, p *passage) error {
	if p.record == nil {
		return nil
	}
	return f.set(passageKey(ordinal, p.at, p.event), p.record)
}

// again joins another capture of an event: only when and where it was met may differ.
func (f *folding) again(ev *event, known *identity) error {
	e, err := f.entity(ev.entity)
	if err != nil {
		return err
	}
	if e.events == 0 {
		return nil // captured again as part of another workflow, where it does not count
	}
	if e.meet(ev) {
		e.changed = true
	}
	if !known.placed || !ev.place.before(known.place) {
		return nil
	}
	e.changed, e.moved = true, true
	return f.move(e, ev, known)
}

// move brings the fragments of an event from the place where it was known to an earlier one.
func (f *folding) move(e *folded, ev *event, known *identity) error {
	from := passageKey(e.ordinal, known.place, ev.id)
	alone, pending := f.alone[ev.id]
	if !pending {
		_, err := f.g.state.get(from, func(value []byte) error {
			alone = append(alone, value...)
			return nil
		})
		if err != nil {
			return err
		}
		f.alone[ev.id] = alone
	}
	if err := f.delete(from); err != nil {
		return err
	}
	if err := f.set(passageKey(e.ordinal, ev.place, ev.id), alone); err != nil {
		return err
	}
	return f.remember(ev, newIdentity(ev))
}

// finish adds to the writes what follows from the changed entities.
func (f *folding) finish() error {
	f.progress.generation++
	if err := f.guard(); err != nil {
		return err
	}
	if err := f.markAsked(); err != nil {
		return err
	}
	for _, id := range f.order {
		if e := f.entities[id]; e.changed {
			if err := f.finishEntity(id, e); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(f.writeHeld(), f.follow(), f.writeOrigins(), f.writeBlocks(), f.writeLineage(), f.writeMetrics(), f.writeElements(), f.writeHistories(), f.writeSheds(), f.writeTraceCounts()); err != nil {
		return err
	}
	return errors.Join(f.set([]byte{keyProgress}, f.progress.encode()), f.set([]byte{keyTotals}, f.totals.encode()))
}

// finishEntity stores a changed entity, and sees to it that its rows get written.
func (f *folding) finishEntity(id uuid.UUID, e *folded) error {
	if err := f.noteUnsaid(id, e); err != nil {
		return err
	}
	e.reprice(f.g.opts.Prices)
	held, err := f.hold(id, e)
	if err != nil {
		return err
	}
	if !held {
		if err := f.markEntity(id, e); err != nil {
			return err
		}
	}
	f.ledger.replace(e.before, callOf(id, e.entity))
	f.histories.replace(e.was, shareOf(id, e.entity))
	return f.writeEntity(id, e)
}

func (f *folding) set(key, value []byte) error {
	return stateError("write", f.writes.Set(key, value, nil))
}
