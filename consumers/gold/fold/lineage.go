package fold

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
	"assay/kernels"
)

// noteForeign notes what an event of another partition takes back, or which call it sees. It may come any number of times.
func (f *Tx) noteForeign(ev *model.Event) error {
	switch {
	case ev.Disposition != bronze.Kept:
		return nil
	case bronze.IsRetraction(ev.Kind):
		f.retract(ev)
		return nil
	}
	return f.linkForeign(ev, true)
}

// lineage is what the events of a group say about descent.
type lineage struct {
	owners  map[uuid.UUID]uuid.UUID      // entities of its events that have ids of their own
	links   map[[2]uuid.UUID]bool        // from a node that an event names to the event's entity
	seeds   map[[2]uuid.UUID]model.Stamp // nodes and the retractions of the group that name them
	reached map[uuid.UUID]model.Stamp
	guarded bool        // something is quarantined
	awaited []uuid.UUID // names that the group is the first to await
}

func newLineage() *lineage {
	return &lineage{
		owners: map[uuid.UUID]uuid.UUID{}, links: map[[2]uuid.UUID]bool{},
		seeds: map[[2]uuid.UUID]model.Stamp{}, reached: map[uuid.UUID]model.Stamp{},
	}
}

// reach notes that a retraction reaches a node.
func (l *lineage) reach(node uuid.UUID, by model.Stamp) {
	if was, ok := l.reached[node]; !ok || by.Compare(was) < 0 {
		l.reached[node] = by
	}
}

// noteLineage notes what a new event says about descent.
func (f *Tx) noteLineage(ev *model.Event) {
	if ev.OwnID {
		f.lineage.owners[ev.ID] = ev.Entity
	}
	if bronze.IsRetraction(ev.Kind) { // it descends from nothing, lest it be taken for part of what it takes back
		f.retract(ev)
		return
	}
	for _, node := range f.Causes(ev) {
		f.lineage.links[[2]uuid.UUID{node, ev.Entity}] = true
	}
}

// retract notes what an event takes back.
func (f *Tx) retract(ev *model.Event) {
	for _, name := range bronze.Retracted(ev.Kind, ev.Payload) {
		for _, node := range f.Retractable(name, ev.Workflow) {
			f.lineage.seeds[[2]uuid.UUID{node, ev.ID}] = ev.Stamp()
			f.lineage.reach(node, ev.Stamp())
		}
	}
}

// Causes returns the nodes that an event names as its cause, or as its sources.
func (f *Tx) Causes(ev *model.Event) (nodes []uuid.UUID) {
	if ev.Parent != "" && !ev.OwnID && (ev.Kind == bronze.KindToolCall || ev.Kind == bronze.KindToolResult) { // the message's intent
		return []uuid.UUID{f.intended(ev.Parent, ev.Workflow, false)}
	}
	names := bronze.Sources(ev.Kind, ev.Payload)
	if ev.Parent != "" {
		names = append(names, ev.Parent)
	}
	for _, name := range names {
		nodes = append(nodes, f.named(name)...)
	}
	return nodes
}

// named returns the nodes that a name may stand for: the event with that id of its own or, if it is a UUID, the event or
// entity with that one.
func (f *Tx) named(name string) []uuid.UUID {
	nodes := []uuid.UUID{kernels.UUID(f.Opts.Partition.Namespace, name)}
	if id, err := uuid.Parse(name); err == nil {
		nodes = append(nodes, id)
	}
	return nodes
}

// Retractable returns the nodes that a retraction may mean by a name.
func (f *Tx) Retractable(name, workflow string) []uuid.UUID {
	return append(f.named(name), f.intended(name, workflow, false), f.intended(name, workflow, true))
}

// intended returns the entity that an intent is under the built-in natural key, which is exact for requests of JSON-RPC.
func (f *Tx) intended(intent, workflow string, exact bool) uuid.UUID {
	return kernels.UUID(f.Opts.Partition.Namespace,
		kernels.JoinStrings(kernels.NormaliseString(intent, exact), kernels.NormaliseString(workflow, exact)))
}

// guard finds out whether anything is quarantined.
func (f *Tx) guard() (err error) {
	f.lineage.guarded, err = state.AnyQuarantined(f.DB)
	return err
}

// writeLineage stores what the group says about descent. Nodes that become quarantined by it are left to spread.
func (f *Tx) writeLineage() error {
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
		if err := f.Set(model.SeedKey(seed[0], seed[1]), model.EncodeStamp(by)); err != nil {
			return err
		}
	}
	for node, by := range l.reached {
		if err := writeReached(f.DB, f.writes, node, by); err != nil {
			return err
		}
	}
	return nil
}

// writeLink stores a link, from the entity of the event that was named if that is known.
func (f *Tx) writeLink(from, to uuid.UUID) error {
	if f.Engine.Awaited[from] && f.lineage.owners[from] == uuid.Nil {
		return f.descend(from, to)
	}
	owner, err := f.owner(from)
	if err != nil {
		return err
	}
	if owner == uuid.Nil {
		f.lineage.awaited = append(f.lineage.awaited, from)
		return errors.Join(f.Set(model.Key(model.KeyAwaited, from), nil), f.descend(from, to))
	}
	return f.descend(owner, to)
}

// descend stores that an entity descends from a node, and what follows if that is quarantined.
func (f *Tx) descend(from, to uuid.UUID) error {
	if from == to {
		return nil
	}
	return errors.Join(f.Set(model.DescentKey(from, to), nil), f.inherit(from, to))
}

// inherit notes that what reaches one node reaches the other.
func (f *Tx) inherit(from, to uuid.UUID) error {
	if !f.lineage.guarded {
		return nil
	}
	by, err := state.Load(f.DB, model.Key(model.KeyQuarantine, from), model.DecodeStamp)
	if by != nil {
		f.lineage.reach(to, *by)
	}
	return err
}

// owner returns the entity of an event that has an id of its own, uuid.Nil if it was not met.
func (f *Tx) owner(event uuid.UUID) (uuid.UUID, error) {
	if entity, ok := f.lineage.owners[event]; ok {
		return entity, nil
	}
	return state.OwnerOf(f.seeker, event)
}

// meetAwaited passes what waits for an event, now that it has come, on to its entity.
func (f *Tx) meetAwaited(event, entity uuid.UUID) error {
	if err := f.inherit(event, entity); err != nil {
		return err
	}
	waited, err := state.Get(f.seeker, model.Key(model.KeyAwaited, event), func([]byte) error { return nil })
	if err != nil || !waited {
		return err
	}
	if event == entity { // without an intent it is an entity of its own: what waits is in its place
		return f.Delete(model.Key(model.KeyAwaited, event))
	}
	err = state.Scan(f.DB, model.Key(model.KeyDescent, event), func(k, _ []byte) (bool, error) {
		err := errors.Join(f.descend(entity, model.LastID(k)), f.Delete(append([]byte(nil), k...)))
		return err == nil, err
	})
	return errors.Join(err, f.Delete(model.Key(model.KeyAwaited, event)))
}

// awaitedMax bounds the names that are known to be awaited. Beyond it they are forgotten and looked up again.
const awaitedMax = 1 << 15

// rememberAwaited notes which names the state says are awaited, now that the group is committed: many events name what is never
// met as an event, such as an agent, and many the same.
func (e *Engine) rememberAwaited(l *lineage) {
	if e.Awaited == nil || len(e.Awaited)+len(l.awaited) > awaitedMax {
		e.Awaited = map[uuid.UUID]bool{}
	}
	for _, name := range l.awaited {
		e.Awaited[name] = true
	}
	for event := range l.owners {
		delete(e.Awaited, event)
	}
}

// writeReached stores that a retraction is to be passed on from a node, unless an earlier one is.
func writeReached(from pebble.Reader, writes *pebble.Batch, node uuid.UUID, by model.Stamp) error {
	k := model.Key(model.KeyReached, node)
	was, err := state.Load(from, k, model.DecodeStamp)
	if err != nil || was != nil && was.Compare(by) <= 0 {
		return err
	}
	return state.Wrap("write", writes.Set(k, model.EncodeStamp(by), nil))
}
