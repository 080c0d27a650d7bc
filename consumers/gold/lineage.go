package gold

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/kernels"
)

// An event may take back what others said: see bronze.Retracted. What it names is quarantined, and so is all that descends
// from it. The state keeps this as a graph whose nodes are entities, and events that are named and not met yet:
//
//	event with an id of its own ─► its entity          (its identity has that)
//	what an event names as its cause, or a promotion as its sources ─► the event's entity
//
// A node is quarantined by the first of the retractions, in the total order of events, from which it can be reached. That
// depends on the set of events alone, whatever comes first.
const (
	keyDescent    = 'l' // node, entity → nothing: the entity descends from the node
	keyAwaited    = 'a' // event → nothing: something descends from an event that was not met yet
	keySeed       = 'k' // node, retraction → stamp of the retraction, which names the node
	keyQuarantine = 'q' // node → stamp of the first retraction from which the node can be reached
	keyReached    = 'y' // node → stamp of a retraction that has reached it and is still to be passed on
)

func seedKey(node, retraction uuid.UUID) []byte { return append(key(keySeed, node), retraction[:]...) }

func descentKey(from, to uuid.UUID) []byte { return append(key(keyDescent, from), to[:]...) }

// lineage is what the events of a group say about descent.
type lineage struct {
	owners  map[uuid.UUID]uuid.UUID // entities of its events that have ids of their own
	links   map[[2]uuid.UUID]bool   // from a node that an event names to the event's entity
	seeds   map[[2]uuid.UUID]stamp  // nodes and the retractions of the group that name them
	reached map[uuid.UUID]stamp
	guarded bool        // something is quarantined
	awaited []uuid.UUID // names that the group is the first to await
}

func newLineage() *lineage {
	return &lineage{
		owners: map[uuid.UUID]uuid.UUID{}, links: map[[2]uuid.UUID]bool{},
		seeds: map[[2]uuid.UUID]stamp{}, reached: map[uuid.UUID]stamp{},
	}
}

// reach notes that a retraction reaches a node.
func (l *lineage) reach(node uuid.UUID, by stamp) {
	if was, ok := l.reached[node]; !ok || by.compare(was) < 0 {
		l.reached[node] = by
	}
}

// relate notes what a new event says about descent.
func (f *folding) relate(ev *event) {
	if ev.ownID {
		f.lineage.owners[ev.id] = ev.entity
	}
	if bronze.IsRetraction(ev.kind) { // it descends from nothing, lest it be taken for part of what it takes back
		f.retract(ev)
		return
	}
	for _, node := range f.causes(ev) {
		f.lineage.links[[2]uuid.UUID{node, ev.entity}] = true
	}
}

// retract notes what an event takes back.
func (f *folding) retract(ev *event) {
	for _, name := range bronze.Retracted(ev.kind, ev.payload) {
		for _, node := range f.retractable(name, ev.workflow) {
			f.lineage.seeds[[2]uuid.UUID{node, ev.id}] = ev.stamp()
			f.lineage.reach(node, ev.stamp())
		}
	}
}

// causes returns the nodes that an event names as its cause, or as its sources.
func (f *folding) causes(ev *event) (nodes []uuid.UUID) {
	if ev.parent != "" && !ev.ownID && (ev.kind == bronze.KindToolCall || ev.kind == bronze.KindToolResult) { // the message's intent
		return []uuid.UUID{f.intended(ev.parent, ev.workflow, false)}
	}
	names := bronze.Sources(ev.kind, ev.payload)
	if ev.parent != "" {
		names = append(names, ev.parent)
	}
	for _, name := range names {
		nodes = append(nodes, f.named(name)...)
	}
	return nodes
}

// named returns the nodes that a name may stand for: the event with that id of its own or, if it is a UUID, the event or
// entity with that one.
func (f *folding) named(name string) []uuid.UUID {
	nodes := []uuid.UUID{kernels.UUID(f.g.opts.Namespace, name)}
	if id, err := uuid.Parse(name); err == nil {
		nodes = append(nodes, id)
	}
	return nodes
}

// retractable returns the nodes that a retraction may mean by a name.
func (f *folding) retractable(name, workflow string) []uuid.UUID {
	return append(f.named(name), f.intended(name, workflow, false), f.intended(name, workflow, true))
}

// intended returns the entity that an intent is under the built-in natural key, which is exact for requests of JSON-RPC.
func (f *folding) intended(intent, workflow string, exact bool) uuid.UUID {
	return kernels.UUID(f.g.opts.Namespace,
		kernels.JoinStrings(kernels.NormaliseString(intent, exact), kernels.NormaliseString(workflow, exact)))
}

// guard finds out whether anything is quarantined.
func (f *folding) guard() (err error) {
	f.lineage.guarded, err = f.g.Quarantines()
	return err
}

// writeLineage stores what the group says about descent. Nodes that become quarantined by it are left to spread.
func (f *folding) writeLineage() error {
	l := f.lineage
	for link := range l.links {
		if err := f.writeLink(link[0], link[1]); err != nil {
			return err
		}
	}
	for id, entity := range l.owners {
		if err := f.meetAwaited(id, entity); err != nil {
			return err
		}
	}
	for seed, by := range l.seeds {
		if err := f.set(seedKey(seed[0], seed[1]), encodeStamp(by)); err != nil {
			return err
		}
	}
	for node, by := range l.reached {
		if err := writeReached(f.g.state.db, f.writes, node, by); err != nil {
			return err
		}
	}
	return nil
}

// writeLink stores a link, from the entity of the event that was named if that is known.
func (f *folding) writeLink(from, to uuid.UUID) error {
	if f.g.awaited[from] && f.lineage.owners[from] == uuid.Nil {
		return f.descend(from, to)
	}
	owner, err := f.owner(from)
	if err != nil {
		return err
	}
	if owner == uuid.Nil {
		f.lineage.awaited = append(f.lineage.awaited, from)
		return errors.Join(f.set(key(keyAwaited, from), nil), f.descend(from, to))
	}
	return f.descend(owner, to)
}

// descend stores that an entity descends from a node, and what follows if that is quarantined.
func (f *folding) descend(from, to uuid.UUID) error {
	if from == to {
		return nil
	}
	return errors.Join(f.set(descentKey(from, to), nil), f.inherit(from, to))
}

// inherit notes that what reaches one node reaches the other.
func (f *folding) inherit(from, to uuid.UUID) error {
	if !f.lineage.guarded {
		return nil
	}
	by, err := load(f.g.state.db, key(keyQuarantine, from), decodeStamp)
	if by != nil {
		f.lineage.reach(to, *by)
	}
	return err
}

// owner returns the entity of an event that has an id of its own, uuid.Nil if it was not met.
func (f *folding) owner(event uuid.UUID) (uuid.UUID, error) {
	if entity, ok := f.lineage.owners[event]; ok {
		return entity, nil
	}
	return ownerOf(f.seeker, event)
}

func ownerOf(from getter, event uuid.UUID) (uuid.UUID, error) {
	known, err := load(from, key(keyOwnID, event), decodeIdentity)
	if err != nil || known == nil {
		return uuid.Nil, err
	}
	return known.entity, nil
}

// meetAwaited passes what waits for an event, now that it has come, on to its entity.
func (f *folding) meetAwaited(event, entity uuid.UUID) error {
	if err := f.inherit(event, entity); err != nil {
		return err
	}
	waited, err := get(f.seeker, key(keyAwaited, event), func([]byte) error { return nil })
	if err != nil || !waited {
		return err
	}
	if event == entity { // without an intent it is an entity of its own: what waits is in its place
		return f.delete(key(keyAwaited, event))
	}
	err = scan(f.g.state.db, key(keyDescent, event), func(k, _ []byte) (bool, error) {
		err := errors.Join(f.descend(entity, markedID(k)), f.delete(append([]byte(nil), k...)))
		return err == nil, err
	})
	return errors.Join(err, f.delete(key(keyAwaited, event)))
}

// awaitedMax bounds the names that are known to be awaited. Beyond it they are forgotten and looked up again.
const awaitedMax = 1 << 15

// rememberAwaited notes which names the state says are awaited, now that the group is committed: many events name what is never
// met as an event, such as an agent, and many the same.
func (g *Gold) rememberAwaited(l *lineage) {
	if g.awaited == nil || len(g.awaited)+len(l.awaited) > awaitedMax {
		g.awaited = map[uuid.UUID]bool{}
	}
	for _, name := range l.awaited {
		g.awaited[name] = true
	}
	for event := range l.owners {
		delete(g.awaited, event)
	}
}

// writeReached stores that a retraction is to be passed on from a node, unless an earlier one is.
func writeReached(from pebble.Reader, writes *pebble.Batch, node uuid.UUID, by stamp) error {
	k := key(keyReached, node)
	was, err := load(from, k, decodeStamp)
	if err != nil || was != nil && was.compare(by) <= 0 {
		return err
	}
	return stateError("write", writes.Set(k, encodeStamp(by), nil))
}

func encodeStamp(s stamp) []byte {
	w := make(encoder, 0, 32)
	w.stamp(s)
	return w
}

func decodeStamp(record []byte) (*stamp, error) {
	d := decoder{rest: record}
	s := d.stamp()
	return &s, d.end()
}
