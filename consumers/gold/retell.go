package gold

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// retellMarks is how many marks RetellEpisodes sets in one write.
const retellMarks = 4096

// BetweenFlushes runs do while Gold writes no derived table. Whoever else changes rows of these tables does it there, so that
// neither overwrites what the other has just written. Folding goes on meanwhile; flushes wait.
func (g *Gold) BetweenFlushes(do func() error) error {
	g.flushing.Lock()
	defer g.flushing.Unlock()
	g.appending.Lock()
	defer g.appending.Unlock()
	return do()
}

// RetellEpisodes has the following flushes write all episodes anew, as when their table was laid anew. Rows that the table
// still has are replaced. What is to be done is on disk when it returns.
func (g *Gold) RetellEpisodes(ctx context.Context) error {
	snapshot := g.state.db.NewSnapshot()
	defer snapshot.Close()
	var due []uuid.UUID
	err := scan(snapshot, []byte{keyOrdinal}, func(k, _ []byte) (bool, error) {
		if due = append(due, markedID(k)); len(due) < retellMarks {
			return true, nil
		}
		err := g.markEpisodes(due)
		due = due[:0]
		return err == nil && ctx.Err() == nil, err
	})
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return g.markEpisodes(due)
}

func (g *Gold) markEpisodes(of []uuid.UUID) error {
	g.committing.Lock()
	defer g.committing.Unlock()
	writes := g.state.db.NewBatch()
	defer writes.Close()
	value := markValue(g.progress.generation, g.opts.Now())
	for _, id := range of {
		if err := writes.Set(markKey(dirtyEpisode, id), value, nil); err != nil {
			return stateError("write", err)
		}
	}
	return g.state.commit(writes, pebble.Sync)
}
