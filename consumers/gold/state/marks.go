package state

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
)

// A mark says that a table lacks a row or has it in an older state. Marks are part of the commit that makes them
// necessary, so none is ever missing.
const (
	DirtyReady   = 'r' // entities that have ended, by workflow
	DirtyOpen    = 'o' // entities that have not, by workflow
	DirtyEpisode = 'p' // entities whose episodes are to be written
	DirtyMetric  = 'm'
	DirtyElement = 'g'
	DirtyShed    = 's'
)

// DirtyMark is a mark as a flush found it.
type DirtyMark struct {
	ID         uuid.UUID
	Key, Value []byte
}

// DirtyValue tells marks of one row apart, and when it was set.
func DirtyValue(generation uint64, now time.Time) []byte {
	v := binary.BigEndian.AppendUint64(nil, generation)
	return binary.BigEndian.AppendUint64(v, uint64(now.UnixMicro()))
}

// SetAt is when the mark was set.
func (m *DirtyMark) SetAt() time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(m.Value[8:])))
}

// DirtyKey is the key of the mark of a row.
func DirtyKey(table byte, id uuid.UUID) []byte {
	return append([]byte{model.KeyDirty, table}, id[:]...)
}

// WorkflowDirtyPrefix is the prefix of the marks of a workflow's entities. Workflows of one hash share it.
func WorkflowDirtyPrefix(table byte, workflow string) []byte {
	return binary.BigEndian.AppendUint64([]byte{model.KeyDirty, table}, model.HashOf(workflow))
}

// EntityDirtyKey is the key of the mark of an entity: DirtyReady or DirtyOpen.
func EntityDirtyKey(table byte, workflow string, id uuid.UUID) []byte {
	return append(WorkflowDirtyPrefix(table, workflow), id[:]...)
}

// ReadyDirtyKey is the mark of an entity that has ended, by the hash of its workflow.
func ReadyDirtyKey(workflow uint64, id uuid.UUID) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{model.KeyDirty, DirtyReady}, workflow), id[:]...)
}

// DirtyMarks returns up to limit marks of a table that come after a key, nil for the first.
func DirtyMarks(from pebble.Reader, table byte, last []byte, limit int) (found []DirtyMark, err error) {
	err = ScanAfter(from, []byte{model.KeyDirty, table}, last, func(k, value []byte) (bool, error) {
		found = append(found, DirtyMark{model.LastID(k), bytes.Clone(k), bytes.Clone(value)})
		return len(found) < limit, nil
	})
	return found, err
}
