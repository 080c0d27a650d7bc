package gold

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrOptions means that Options lack something or contradict themselves.
	ErrOptions = errors.New("gold: invalid options")
	// ErrState means that the state store could not be read or written, or holds what this program did not write.
	ErrState = errors.New("gold: state store failed")
	// ErrVersion means that the state store was written by another version of this program: rebuild it.
	ErrVersion = errors.New("gold: state store of another version")
	// ErrStateLost means that tables hold rows which the state store knows nothing of: rebuild it.
	ErrStateLost = errors.New("gold: state store lost")
	// ErrStore means that the tables could not be read or written.
	ErrStore = errors.New("gold: store failed")
	// ErrBatch means that a message of SILVER is not a batch of Silver's schema.
	ErrBatch = errors.New("gold: malformed batch")
	// ErrTooMany means that more events are asked for than are folded at a time.
	ErrTooMany = errors.New("gold: too many events")
	// ErrCursor means that a page is asked for with something else than the cursor of another.
	ErrCursor = errors.New("gold: no such page")
	// ErrEmbed means that the embedder failed; episodes wait for the next attempt.
	ErrEmbed = errors.New("gold: embedding failed")
)
