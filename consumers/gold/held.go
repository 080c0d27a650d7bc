package gold

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
	"github.com/valyala/fastjson"
	"golang.org/x/sync/errgroup"

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

// holding is what one commit holds: rows of entities, and of their episodes, which have no vectors yet.
type holding struct {
	ids        []uuid.UUID
	workflows  []uint64 // of them, by hash
	entities   *rows
	episodes   *rows
	bytes      int
	generation uint64 // of the commit
}

func newHolding(dimensions int) *holding {
	return &holding{entities: newRows(schema.Entities), episodes: newEpisodeRows(dimensions)}
}

func (h *holding) release() {
	h.entities.Release()
	h.episodes.Release()
}

// hold builds the rows of an entity if the group has all of it, and tells whether it did. An entity that is open waits for
// what ends it.
func (f *folding) hold(id uuid.UUID, e *folded) (bool, error) {
	if f.held == nil || !e.fresh || e.rows > 0 || e.echo || e.asked != nil || e.moved || e.opened && !e.settled() || f.held.bytes > f.g.opts.HoldBytes {
		return false, nil
	}
	content, err := e.content(&f.parser)
	if err != nil {
		return false, nil // the mark leads to where what is unreadable is dealt with
	}
	view := newEntityView(id, e.entity, content)
	if f.lineage.guarded {
		if view.QuarantinedBy, err = quarantinedBy(f.g.state.db, id); err != nil {
			return false, err
		}
	}
	h := f.held
	h.ids, h.workflows = append(h.ids, id), append(h.workflows, hashOf(view.WorkflowID))
	view.appendTo(h.entities)
	h.bytes += len(view.Request) + len(view.Result) + len(view.Text)
	episodes := content.episodes()
	for _, episode := range episodes {
		f.g.appendEpisode(h.episodes, view, episode)
		h.bytes += len(episode.text)
	}
	e.rows = 1 + uint64(len(episodes))
	return true, nil
}

// markAll has all rows marked and none held.
func (f *folding) markAll() {
	f.held.release()
	f.held = nil
}

// writeHeld stores which entities the commit holds.
func (f *folding) writeHeld() error {
	h := f.held
	if h == nil || len(h.ids) == 0 {
		return nil
	}
	h.generation = f.progress.generation
	record := make(encoder, 0, len(h.ids)*heldLen)
	for i, id := range h.ids {
		record.id(id)
		record = binary.BigEndian.AppendUint64(record, h.workflows[i])
	}
	return f.set(numberKey(keyHeld, h.generation), record)
}

// content is all that the group has of a fresh entity.
func (e *folded) content(parser *fastjson.Parser) (*content, error) {
	c := &content{}
	if e.request != nil {
		c.request = *e.request
	}
	c.nameCall(e.entity)
	if e.result != nil {
		c.result = *e.result
	}
	if e.exchange != nil {
		c.exchange = *e.exchange
	}
	if len(e.pieces) == 0 {
		return c, nil
	}
	if !slices.IsSortedFunc(e.pieces, piece.compare) {
		slices.SortFunc(e.pieces, piece.compare)
	}
	a := assembly{parser: parser, parts: map[string]*part{}}
	for _, p := range e.pieces {
		if err := a.addAll(p.fragments); err != nil {
			return nil, err
		}
	}
	c.parts, c.cutOff = a.order, a.cutOff
	return c, nil
}

// heldLen is the length in bytes of what a held record has of an entity.
const heldLen = 16 + 8

// held is what the commits since the last write hold.
type held struct {
	commits []*holding
	of      map[uuid.UUID]uint64 // its entities: hash of the workflow
	bytes   int
}

// add takes what a commit holds, and tells whether there is enough for a write.
func (h *held) add(commit *holding) {
	if h.of == nil {
		h.of = map[uuid.UUID]uint64{}
	}
	for i, id := range commit.ids {
		h.of[id] = commit.workflows[i]
	}
	h.commits = append(h.commits, commit)
	h.bytes += commit.bytes
}

func (h *held) release() {
	for _, commit := range h.commits {
		commit.release()
	}
}

// holds tells whether the row of an entity is still to be appended, or is being.
func (g *Gold) holds(id uuid.UUID) bool {
	g.committing.Lock()
	defer g.committing.Unlock()
	_, ok := g.held.of[id]
	if !ok && g.writing != nil {
		_, ok = g.writing.of[id]
	}
	return ok
}

// heldOf returns the entities of a workflow, by hash, whose rows the tables may not have yet because they are held.
func (g *Gold) heldOf(workflow uint64) (ids []uuid.UUID) {
	g.committing.Lock()
	defer g.committing.Unlock()
	for _, h := range []*held{&g.held, g.writing} {
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

// keepHeld adds what a commit holds; committing is held.
func (g *Gold) keepHeld(commit *holding) {
	g.held.add(commit)
	if g.held.bytes >= g.opts.HoldBytes || len(g.held.of) >= holdRows {
		select {
		case g.enough <- struct{}{}:
		default: // one signal that waits stands for all
		}
	}
}

// holdRows is how many rows of entities make up a write that costs little for each of them.
const holdRows = 8192

// makeRoom waits until what is held is written, if it is twice what makes up a write: folding is faster than the tables.
func (g *Gold) makeRoom(ctx context.Context) error {
	g.committing.Lock()
	full := g.held.bytes >= 2*g.opts.HoldBytes || len(g.held.of) >= 2*holdRows
	g.committing.Unlock()
	if !full {
		return nil
	}
	return ignoreStore(g.flushHeld(ctx))
}

// flushHeld writes what is held and nothing else, also while what is marked is written.
func (g *Gold) flushHeld(ctx context.Context) error {
	g.appending.Lock()
	defer g.appending.Unlock()
	return g.writeHeld(ctx)
}

// ignoreStore passes over the failure of a table: what it lacks is marked.
func ignoreStore(err error) error {
	if errors.Is(err, ErrState) {
		return err
	}
	return nil
}

// writeHeld appends what is held, under the lock appending. What fails is marked instead.
func (g *Gold) writeHeld(ctx context.Context) error {
	taken := g.takeHeld()
	if len(taken.commits) == 0 {
		return nil
	}
	defer g.dropHeld(taken)
	var entities, episodes error
	var group errgroup.Group
	group.Go(func() error { entities = g.appendHeld(ctx, taken, schema.Entities); return nil })
	group.Go(func() error { episodes = g.appendHeld(ctx, taken, schema.Episodes); return nil })
	_ = group.Wait() // neither returns an error
	if err := g.fault(AfterHeld); err != nil {
		return err
	}
	return errors.Join(entities, episodes, g.settleHeld(taken, entities != nil, episodes != nil))
}

// takeHeld takes what is held; Unsettled still knows it until dropHeld.
func (g *Gold) takeHeld() *held {
	g.committing.Lock()
	defer g.committing.Unlock()
	taken := g.held
	g.held, g.writing = held{}, &taken
	return &taken
}

func (g *Gold) dropHeld(taken *held) {
	g.committing.Lock()
	g.writing = nil
	g.committing.Unlock()
	taken.release()
}

func (g *Gold) appendHeld(ctx context.Context, taken *held, table string) error {
	parts := make([]*rows, len(taken.commits))
	for i, commit := range taken.commits {
		parts[i] = commit.entities
		if table == schema.Episodes {
			parts[i] = commit.episodes
		}
	}
	return g.write(ctx, false, parts...)
}

// settleHeld notes that nothing more is to be appended of what was taken: the tables have it, or there are marks. It need
// not be on disk at once, since a held record that comes back becomes marks too.
func (g *Gold) settleHeld(taken *held, markEntities, markEpisodes bool) error {
	g.committing.Lock()
	defer g.committing.Unlock()
	writes := g.state.db.NewBatch()
	defer writes.Close()
	value := markValue(g.progress.generation, g.opts.Now())
	for _, commit := range taken.commits {
		if err := writes.Delete(numberKey(keyHeld, commit.generation), nil); err != nil {
			return stateError("write", err)
		}
		for i, id := range commit.ids {
			var err error
			if markEntities {
				err = writes.Set(readyMark(commit.workflows[i], id), value, nil)
			} else if markEpisodes {
				err = writes.Set(markKey(dirtyEpisode, id), value, nil)
			}
			if err != nil {
				return stateError("write", err)
			}
		}
	}
	return g.state.commit(writes, pebble.NoSync)
}

// recallHeld makes marks of what was held when the program stopped, since the tables may have some of it and lack the rest.
func (g *Gold) recallHeld() error {
	writes := g.state.db.NewBatch()
	defer writes.Close()
	value := markValue(g.progress.generation, g.opts.Now())
	err := scan(g.state.db, []byte{keyHeld}, func(k, record []byte) (bool, error) {
		d := decoder{rest: record}
		for len(d.rest) > 0 {
			id, workflow := d.id(), d.fixed()
			if d.err != nil {
				return false, d.err
			}
			if err := writes.Set(readyMark(workflow, id), value, nil); err != nil {
				return false, stateError("write", err)
			}
		}
		return true, stateError("write", writes.Delete(slices.Clone(k), nil))
	})
	if err != nil || writes.Empty() {
		return err
	}
	return g.state.commit(writes, pebble.Sync)
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
