package gold

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// spreadNodes is how many nodes of the graph of descent are quarantined in one commit.
const spreadNodes = 1024

// Quarantines tells whether anything at all is quarantined.
func (g *Gold) Quarantines() (some bool, err error) {
	err = scan(g.state.db, []byte{keyQuarantine}, func(_, _ []byte) (bool, error) {
		some = true
		return false, nil
	})
	return some, err
}

// QuarantinedBy returns the event that took back what an entity, or an event with an id of its own, is or descends from;
// uuid.Nil if none did.
func (g *Gold) QuarantinedBy(id uuid.UUID) (uuid.UUID, error) {
	snapshot := g.state.db.NewSnapshot()
	defer snapshot.Close()
	by, err := quarantinedBy(snapshot, id)
	if by != uuid.Nil || err != nil {
		return by, err
	}
	owner, err := ownerOf(snapshot, id)
	if owner == uuid.Nil || err != nil {
		return uuid.Nil, err
	}
	return quarantinedBy(snapshot, owner)
}

func quarantinedBy(from pebble.Reader, node uuid.UUID) (uuid.UUID, error) {
	by, err := load(from, key(keyQuarantine, node), decodeStamp)
	if by == nil || err != nil {
		return uuid.Nil, err
	}
	return by.id, nil
}

// spread passes quarantines on until they have reached all that descends from what was taken back, some nodes at a time:
// what is still to be done is stored, so a crash or an error in between only puts the rest off.
func (g *Gold) spread() error {
	for {
		done, err := g.spreadSome()
		if done || err != nil {
			return err
		}
	}
}

func (g *Gold) spreadSome() (done bool, err error) {
	s := spreading{g: g, writes: g.state.db.NewBatch(), reached: map[uuid.UUID]stamp{}}
	defer s.writes.Close()
	type arrival struct {
		node uuid.UUID
		by   stamp
	}
	var arrivals []arrival
	err = scan(g.state.db, []byte{keyReached}, func(k, value []byte) (bool, error) {
		by, err := decodeStamp(value)
		if err == nil {
			arrivals = append(arrivals, arrival{markedID(k), *by})
		}
		return len(arrivals) < spreadNodes, err
	})
	if err != nil || len(arrivals) == 0 {
		return true, err
	}
	g.committing.Lock()
	defer g.committing.Unlock()
	s.progress = g.progress
	s.progress.generation++
	for _, a := range arrivals {
		if err := s.quarantine(a.node, a.by); err != nil {
			return true, err
		}
	}
	if err := s.finish(); err != nil {
		return true, err
	}
	g.progress = s.progress
	return false, nil
}

// spreading is the quarantining of some nodes in one commit.
type spreading struct {
	g        *Gold
	writes   *pebble.Batch
	reached  map[uuid.UUID]stamp // nodes to go on from
	progress progress
}

// quarantine marks a node, and notes the ones that descend from it, unless an earlier retraction has done so.
func (s *spreading) quarantine(node uuid.UUID, by stamp) error {
	db := s.g.state.db
	if err := s.writes.Delete(key(keyReached, node), nil); err != nil {
		return stateError("write", err)
	}
	was, err := load(db, key(keyQuarantine, node), decodeStamp)
	if err != nil || was != nil && was.compare(by) <= 0 {
		return err
	}
	if err := s.writes.Set(key(keyQuarantine, node), encodeStamp(by), nil); err != nil {
		return stateError("write", err)
	}
	owner, err := ownerOf(db, node)
	if err != nil {
		return err
	}
	if owner != uuid.Nil {
		s.reach(owner, by)
	}
	err = scan(db, key(keyDescent, node), func(k, _ []byte) (bool, error) {
		s.reach(markedID(k), by)
		return true, nil
	})
	return errors.Join(err, s.mark(node))
}

func (s *spreading) reach(node uuid.UUID, by stamp) {
	if was, ok := s.reached[node]; !ok || by.compare(was) < 0 {
		s.reached[node] = by
	}
}

// mark has the rows of an entity written again.
func (s *spreading) mark(node uuid.UUID) error {
	e, err := loadEntity(s.g.state.db, node)
	if e == nil || err != nil {
		return err
	}
	table := byte(dirtyOpen)
	if e.settled() {
		table = dirtyReady
	}
	return stateError("write",
		s.writes.Set(entityMark(table, e.workflow, node), markValue(s.progress.generation, s.g.opts.Now()), nil))
}

// finish commits. It need not be on disk at once: what is still to be passed on, is.
func (s *spreading) finish() error {
	for node, by := range s.reached {
		if err := writeReached(s.g.state.db, s.writes, node, by); err != nil {
			return err
		}
	}
	if err := s.writes.Set([]byte{keyProgress}, s.progress.encode(), nil); err != nil {
		return stateError("write", err)
	}
	return s.g.state.commit(s.writes, pebble.NoSync)
}
