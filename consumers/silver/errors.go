package silver

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrOptions means that Options lack something or contradict themselves.
	ErrOptions = errors.New("silver: invalid options")
	// ErrBatch means that a message of SILVER is not a batch of this package's Schema.
	ErrBatch = errors.New("silver: malformed batch")
)
