package outbox

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrFull means that a frame was not kept, because the spool has reached its limit.
	ErrFull = errors.New("spool: full")
	// ErrClosed means that the spool was closed.
	ErrClosed = errors.New("spool: closed")
	// ErrLeft means that not all frames could be sent. They are on disk, for the next Spool in the same directory.
	ErrLeft = errors.New("spool: frames are left on disk")
)
