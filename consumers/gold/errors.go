package gold

import (
	"errors"

	"assay/consumers/gold/fold"
	"assay/consumers/gold/model"
	"assay/consumers/gold/project"
)

// Sentinels of this package; test them with errors.Is.
var (
	// ErrOptions means that Options lack something or contradict themselves.
	ErrOptions = errors.New("gold: invalid options")
	// ErrTooMany means that more events are asked for than are folded at a time.
	ErrTooMany = errors.New("gold: too many events")
	// ErrCursor means that a page is asked for with something else than the cursor of another.
	ErrCursor = errors.New("gold: no such page")

	// ErrState means that the state store could not be read or written, or holds what this program did not write.
	ErrState = model.ErrState
	// ErrVersion means that the state store was written by another version of this program: rebuild it.
	ErrVersion = fold.ErrVersion
	// ErrStateLost means that tables hold rows which the state store knows nothing of: rebuild it.
	ErrStateLost = fold.ErrStateLost
	// ErrStore means that the tables could not be read or written.
	ErrStore = project.ErrStore
	// ErrBatch means that a message of SILVER is not a batch of Silver's schema.
	ErrBatch = model.ErrBatch
	// ErrEmbed means that the embedder failed; episodes wait for the next attempt.
	ErrEmbed = project.ErrEmbed
)
