package gold

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
)

// retellMarks is how many marks RetellEpisodes sets in one write.
const retellMarks = 4096

// BetweenFlushes runs do while Gold writes no derived table. Whoever else changes rows of these tables does it there, so that
// neither overwrites what the other has just written. Folding goes on meanwhile; flushes wait.
func (g *Gold) BetweenFlushes(do func() error) error {
	g.flushing.Lock()
	defer g.flushing.Unlock()
	return do()
}

// RetellEpisodes has the following flushes write all episodes anew, as after their table was lost or laid anew. Rows that
// the table still has are replaced. The marks are on disk when it returns.
func (g *Gold) RetellEpisodes(ctx context.Context) error {
	snapshot := g.state.db.NewSnapshot()
	defer snapshot.Close()
	writes := g.state.db.NewBatch()
	defer func() { writes.Close() }()
	commit := func() error {
		g.committing.Lock()
		defer g.committing.Unlock()
		return stateError("commit", writes.Commit(pebble.Sync))
	}
	err := scan(snapshot, []byte{keyEntity}, func(k, _ []byte) (bool, error) {
		err := writes.Set(markKey(dirtyEpisode, markedID(k)), markValue(g.Generation(), g.opts.Now()), nil)
		if err != nil || writes.Count() < retellMarks {
			return err == nil && ctx.Err() == nil, stateError("write", err)
		}
		if err := commit(); err != nil {
			return false, err
		}
		writes.Close()
		writes = g.state.db.NewBatch()
		return ctx.Err() == nil, nil
	})
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return commit()
}
