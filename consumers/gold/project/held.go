package project

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
	"assay/sovereign/schema"
)

// Most entities are complete in the group of messages that first brings them. Their rows are built from what folding has in
// memory, held until there are enough of them for one write, and appended to both tables at once; nothing is read back.
//
//	held record and entity (in the commit) ─► append to entities and episodes ─► held record taken away
//
// In place of a mark for each row, the commit has one record that names all the entities it holds. Where a write fails or
// the program stops before it, that record becomes marks: an entity tells how many rows of it were held, so these are merged
// and none is there twice. A mark of an entity whose row is still held waits until that is written.

// Holding is what one commit holds: rows of entities, and of their episodes, which have no vectors yet.
type Holding struct {
	IDs        []uuid.UUID
	workflows  []uint64 // of them, by hash
	entities   *rows
	episodes   *rows
	Bytes      int
	generation uint64 // of the commit
	namespace  uuid.UUID
}

// NewHolding returns one without rows.
func (t *Tables) NewHolding() *Holding {
	return &Holding{entities: newRows(schema.Entities), episodes: newEpisodeRows(t.opts.Embedder.Dimensions()), namespace: t.opts.Namespace}
}

// Release frees the rows.
func (h *Holding) Release() {
	h.entities.Release()
	h.episodes.Release()
}

// Add holds the rows of an entity and of its episodes.
func (h *Holding) Add(view *model.Entity, episodes []model.Episode) {
	h.IDs, h.workflows = append(h.IDs, view.UUID), append(h.workflows, model.HashOf(view.WorkflowID))
	appendEntity(h.entities, view)
	h.Bytes += len(view.Request) + len(view.Result) + len(view.Text)
	for _, episode := range episodes {
		appendEpisode(h.episodes, h.namespace, view, episode)
		h.Bytes += len(episode.Text)
	}
}

// Encode returns the held record of a commit: which entities it holds.
func (h *Holding) Encode(generation uint64) (key, record []byte) {
	h.generation = generation
	w := make(model.Encoder, 0, len(h.IDs)*heldLen)
	for i, id := range h.IDs {
		w.ID(id)
		w = binary.BigEndian.AppendUint64(w, h.workflows[i])
	}
	return model.NumberKey(model.KeyHeld, h.generation), w
}

// heldLen is the length in bytes of what a held record has of an entity.
const heldLen = 16 + 8

// held is what the commits since the last write hold.
type held struct {
	commits []*Holding
	of      map[uuid.UUID]uint64 // its entities: hash of the workflow
	bytes   int
}

// add takes what a commit holds, and tells whether there is enough for a write.
func (h *held) add(commit *Holding) {
	if h.of == nil {
		h.of = map[uuid.UUID]uint64{}
	}
	for i, id := range commit.IDs {
		h.of[id] = commit.workflows[i]
	}
	h.commits = append(h.commits, commit)
	h.bytes += commit.Bytes
}

func (h *held) release() {
	for _, commit := range h.commits {
		commit.Release()
	}
}

// holds tells whether the row of an entity is still to be appended, or is being.
func (t *Tables) holds(id uuid.UUID) bool {
	t.db.Lock()
	defer t.db.Unlock()
	_, ok := t.held.of[id]
	if !ok && t.writing != nil {
		_, ok = t.writing.of[id]
	}
	return ok
}

// HeldOf returns the entities of a workflow, by hash, whose rows the tables may not have yet because they are held.
func (t *Tables) HeldOf(workflow uint64) (ids []uuid.UUID) {
	t.db.Lock()
	defer t.db.Unlock()
	for _, h := range []*held{&t.held, t.writing} {
		if h == nil {
			continue
		}
		for id, hash := range h.of {
			if hash == workflow {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// Keep adds what a commit holds; committing is held.
func (t *Tables) Keep(commit *Holding) {
	t.held.add(commit)
	if t.held.bytes >= t.opts.HoldBytes || len(t.held.of) >= holdRows {
		select {
		case t.enough <- struct{}{}:
		default: // one signal that waits stands for all
		}
	}
}

// holdRows is how many rows of entities make up a write that costs little for each of them.
const holdRows = 8192

// MakeRoom waits until what is held is written, if it is twice what makes up a write: folding is faster than the tables.
func (t *Tables) MakeRoom(ctx context.Context) error {
	t.db.Lock()
	full := t.held.bytes >= 2*t.opts.HoldBytes || len(t.held.of) >= 2*holdRows
	t.db.Unlock()
	if !full {
		return nil
	}
	return ignoreStore(t.flushHeld(ctx))
}

// flushHeld writes what is held and nothing else, also while what is marked is written.
func (t *Tables) flushHeld(ctx context.Context) error {
	t.appending.Lock()
	defer t.appending.Unlock()
	return t.WriteHeld(ctx)
}

// WriteHeld appends what is held, under the lock appending. What fails is marked instead.
func (t *Tables) WriteHeld(ctx context.Context) error {
	taken := t.takeHeld()
	if len(taken.commits) == 0 {
		return nil
	}
	defer t.dropHeld(taken)
	var entities, episodes error
	var group errgroup.Group
	group.Go(func() error { entities = t.appendHeld(ctx, taken, schema.Entities); return nil })
	group.Go(func() error { episodes = t.appendHeld(ctx, taken, schema.Episodes); return nil })
	_ = group.Wait() // neither returns an error
	if err := t.opts.Fault.At(state.AfterHeld); err != nil {
		return err
	}
	return errors.Join(entities, episodes, t.settleHeld(taken, entities != nil, episodes != nil))
}

// takeHeld takes what is held; HeldOf still knows it until dropHeld.
func (t *Tables) takeHeld() *held {
	t.db.Lock()
	defer t.db.Unlock()
	taken := t.held
	t.held, t.writing = held{}, &taken
	return &taken
}

func (t *Tables) dropHeld(taken *held) {
	t.db.Lock()
	t.writing = nil
	t.db.Unlock()
	taken.release()
}

func (t *Tables) appendHeld(ctx context.Context, taken *held, table string) error {
	parts := make([]*rows, len(taken.commits))
	for i, commit := range taken.commits {
		parts[i] = commit.entities
		if table == schema.Episodes {
			parts[i] = commit.episodes
		}
	}
	return t.write(ctx, false, parts...)
}

// settleHeld notes that nothing more is to be appended of what was taken: the tables have it, or there are marks. It need
// not be on disk at once, since a held record that comes back becomes marks too.
func (t *Tables) settleHeld(taken *held, markEntities, markEpisodes bool) error {
	t.db.Lock()
	defer t.db.Unlock()
	writes := t.db.NewBatch()
	defer writes.Close()
	value := state.DirtyValue(t.db.Progress.Generation, t.opts.Now())
	for _, commit := range taken.commits {
		if err := writes.Delete(model.NumberKey(model.KeyHeld, commit.generation), nil); err != nil {
			return state.Wrap("write", err)
		}
		for i, id := range commit.IDs {
			var err error
			if markEntities {
				err = writes.Set(state.ReadyDirtyKey(commit.workflows[i], id), value, nil)
			} else if markEpisodes {
				err = writes.Set(state.DirtyKey(state.DirtyEpisode, id), value, nil)
			}
			if err != nil {
				return state.Wrap("write", err)
			}
		}
	}
	return t.db.Commit(writes, pebble.NoSync)
}

// RecallHeld makes marks of what was held when the program stopped, since the tables may have some of it and lack the rest.
func (t *Tables) RecallHeld() error {
	writes := t.db.NewBatch()
	defer writes.Close()
	value := state.DirtyValue(t.db.Progress.Generation, t.opts.Now())
	err := state.Scan(t.db, []byte{model.KeyHeld}, func(k, record []byte) (bool, error) {
		d := model.Decoder{Rest: record}
		for len(d.Rest) > 0 {
			id, workflow := d.ID(), d.Fixed()
			if d.Err != nil {
				return false, d.Err
			}
			if err := writes.Set(state.ReadyDirtyKey(workflow, id), value, nil); err != nil {
				return false, state.Wrap("write", err)
			}
		}
		return true, state.Wrap("write", writes.Delete(slices.Clone(k), nil))
	})
	if err != nil || writes.Empty() {
		return err
	}
	return t.db.Commit(writes, pebble.Sync)
}

// joinRows returns the columns of rows that were built apart as those of one record.
func joinRows(parts []*rows) (columns []arrow.Array, count int, err error) {
	for _, part := range parts {
		count += part.count
	}
	for field := range parts[0].Fields() {
		slices := make([]arrow.Array, 0, len(parts))
		for _, part := range parts {
			slices = append(slices, part.Field(field).NewArray())
		}
		column, joinErr := join(slices)
		for _, s := range slices {
			s.Release()
		}
		if joinErr != nil {
			release(columns)
			return nil, 0, joinErr
		}
		columns = append(columns, column)
	}
	return columns, count, nil
}

func release(columns []arrow.Array) {
	for _, c := range columns {
		c.Release()
	}
}
