package fold

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// spreadNodes is how many nodes of the graph of descent are quarantined in one commit.
const spreadNodes = 1024

// Spread passes quarantines on until they have reached all that descends from what was taken back, some nodes at a time:
// what is still to be done is stored, so a crash or an error in between only puts the rest off.
func (e *Engine) Spread() error {
	for {
		done, err := e.spreadSome()
		if done || err != nil {
			return err
		}
	}
}

func (e *Engine) spreadSome() (done bool, err error) {
	s := spreading{db: e.DB, now: e.opts.Now, writes: e.DB.NewBatch(), reached: map[uuid.UUID]model.Stamp{}}
	defer s.writes.Close()
	type arrival struct {
		node uuid.UUID
		by   model.Stamp
	}
	var arrivals []arrival
	err = state.Scan(e.DB, []byte{model.KeyReached}, func(k, value []byte) (bool, error) {
		by, err := model.DecodeStamp(value)
		if err == nil {
			arrivals = append(arrivals, arrival{model.LastID(k), *by})
		}
		return len(arrivals) < spreadNodes, err
	})
	if err != nil || len(arrivals) == 0 {
		return true, err
	}
	e.DB.Lock()
	defer e.DB.Unlock()
	s.progress = e.DB.Progress
	s.progress.Generation++
	for _, a := range arrivals {
		if err := s.quarantine(a.node, a.by); err != nil {
			return true, err
		}
	}
	if err := s.finish(); err != nil {
		return true, err
	}
	e.DB.Progress = s.progress
	return false, nil
}

// spreading is the quarantining of some nodes in one commit.
type spreading struct {
	db       *state.DB
	now      func() time.Time
	writes   *pebble.Batch
	reached  map[uuid.UUID]model.Stamp // nodes to go on from
	progress model.Progress
}

// quarantine marks a node, and notes the ones that descend from it, unless an earlier retraction has done so.
func (s *spreading) quarantine(node uuid.UUID, by model.Stamp) error {
	if err := s.writes.Delete(model.Key(model.KeyReached, node), nil); err != nil {
		return state.Wrap("write", err)
	}
	was, err := state.Load(s.db, model.Key(model.KeyQuarantine, node), model.DecodeStamp)
	if err != nil || was != nil && was.Compare(by) <= 0 {
		return err
	}
	if err := s.writes.Set(model.Key(model.KeyQuarantine, node), model.EncodeStamp(by), nil); err != nil {
		return state.Wrap("write", err)
	}
	owner, err := state.OwnerOf(s.db, node)
	if err != nil {
		return err
	}
	if owner != uuid.Nil {
		s.reach(owner, by)
	}
	err = state.Scan(s.db, model.Key(model.KeyDescent, node), func(k, _ []byte) (bool, error) {
		s.reach(model.LastID(k), by)
		return true, nil
	})
	return errors.Join(err, s.mark(node))
}

func (s *spreading) reach(node uuid.UUID, by model.Stamp) {
	if was, ok := s.reached[node]; !ok || by.Compare(was) < 0 {
		s.reached[node] = by
	}
}

// mark has the rows of an entity written again.
func (s *spreading) mark(node uuid.UUID) error {
	e, err := state.LoadEntityState(s.db, node)
	if e == nil || err != nil {
		return err
	}
	table := byte(state.DirtyOpen)
	if e.HasEnded() {
		table = state.DirtyReady
	}
	return state.Wrap("write",
		s.writes.Set(state.EntityDirtyKey(table, e.Workflow, node), state.DirtyValue(s.progress.Generation, s.now()), nil))
}

// finish commits. It need not be on disk at once: what is still to be passed on, is.
func (s *spreading) finish() error {
	for node, by := range s.reached {
		if err := writeReached(s.db, s.writes, node, by); err != nil {
			return err
		}
	}
	if err := s.writes.Set([]byte{model.KeyProgress}, s.progress.Encode(), nil); err != nil {
		return state.Wrap("write", err)
	}
	return s.db.Commit(s.writes, pebble.NoSync)
}
