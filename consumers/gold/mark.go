package gold

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// A mark says that a table lacks a row or has it in an older state. Marks are part of the commit that makes them
// necessary, so none is ever missing.
const (
	dirtyReady   = 'r' // entities that have ended, by workflow
	dirtyOpen    = 'o' // entities that have not, by workflow
	dirtyEpisode = 'p' // entities whose episodes are to be written
	dirtyMetric  = 'm'
	dirtyElement = 'g'
	dirtyShed    = 's'
)

// mark is a mark as a flush found it.
type mark struct {
	id         uuid.UUID
	key, value []byte
}

// markValue tells marks of one row apart, and when it was set.
func markValue(generation uint64, now time.Time) []byte {
	v := binary.BigEndian.AppendUint64(nil, generation)
	return binary.BigEndian.AppendUint64(v, uint64(now.UnixMicro()))
}

func (m *mark) setAt() time.Time { return time.UnixMicro(int64(binary.BigEndian.Uint64(m.value[8:]))) }

func markKey(table byte, id uuid.UUID) []byte { return append([]byte{keyDirty, table}, id[:]...) }

// workflowMarks is the prefix of the marks of a workflow's entities. Workflows of one hash share it.
func workflowMarks(table byte, workflow string) []byte {
	return binary.BigEndian.AppendUint64([]byte{keyDirty, table}, hashOf(workflow))
}

func entityMark(table byte, workflow string, id uuid.UUID) []byte {
	return append(workflowMarks(table, workflow), id[:]...)
}

// readyMark is the mark of an entity that has ended, by the hash of its workflow.
func readyMark(workflow uint64, id uuid.UUID) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{keyDirty, dirtyReady}, workflow), id[:]...)
}

// markedID is the last part of every mark's key.
func markedID(key []byte) uuid.UUID { return uuid.UUID(key[len(key)-16:]) }

func (f *folding) mark(table byte, id uuid.UUID) error {
	return f.set(markKey(table, id), markValue(f.progress.generation, f.now))
}

func (f *folding) markEntity(id uuid.UUID, e *folded) error {
	table := byte(dirtyOpen)
	if e.settled() {
		table = dirtyReady
	}
	return f.set(entityMark(table, e.workflow, id), markValue(f.progress.generation, f.now))
}

// marks returns up to limit marks of a table that come after a key, nil for the first.
func marks(from pebble.Reader, table byte, last []byte, limit int) (found []mark, err error) {
	err = scanAfter(from, []byte{keyDirty, table}, last, func(k, value []byte) (bool, error) {
		found = append(found, mark{markedID(k), bytes.Clone(k), bytes.Clone(value)})
		return len(found) < limit, nil
	})
	return found, err
}

// unmark takes marks away that are as the flush found them, and adds what else is to be written with that. It need not
// be on disk at once: a mark that comes back only has its row written again.
func (g *Gold) unmark(done []mark, also func(*pebble.Batch) error) error {
	g.committing.Lock()
	defer g.committing.Unlock()
	writes := g.state.db.NewBatch()
	defer writes.Close()
	now := seeker{from: g.state.db}
	defer now.close()
	for _, m := range done {
		same := false
		if _, err := get(&now, m.key, func(value []byte) error {
			same = bytes.Equal(value, m.value)
			return nil
		}); err != nil {
			return err
		}
		if !same {
			continue
		}
		if err := writes.Delete(m.key, nil); err != nil {
			return stateError("write", err)
		}
	}
	if err := also(writes); err != nil {
		return err
	}
	return g.state.commit(writes, pebble.NoSync)
}

// plan is that a table is to have so many rows of something, and where the state remembers that.
type plan struct {
	key  []byte
	rows uint64
}

// writtenKey is where the state remembers that a small table may have a row.
func writtenKey(table byte, id uuid.UUID) []byte { return append([]byte{keyWritten, table}, id[:]...) }

// intend makes it durable that tables may have rows, before they are written: a crash in between then leads to merging
// them, which may be repeated, and never to appending them twice.
func (g *Gold) intend(plans []plan) error {
	if len(plans) == 0 {
		return nil
	}
	writes := g.state.db.NewBatch()
	defer writes.Close()
	for _, p := range plans {
		if err := p.write(writes); err != nil {
			return err
		}
	}
	g.committing.Lock()
	err := g.state.commit(writes, pebble.Sync)
	g.committing.Unlock()
	if err != nil {
		return err
	}
	return g.fault(AfterIntent)
}

func (p plan) write(to *pebble.Batch) error {
	return stateError("write", to.Set(p.key, binary.AppendUvarint(nil, p.rows), nil))
}
