package outbox

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrFull means that a frame was not kept, because as much waits as the limit allows, or the disk is full.
	ErrFull = errors.New("outbox: full")
	// ErrClosed means that the outbox was closed.
	ErrClosed = errors.New("outbox: closed")
	// ErrLeft means that not all frames could be sent. They are on disk, for the next Outbox in the same directory.
	ErrLeft = errors.New("outbox: frames are left on disk")
)
