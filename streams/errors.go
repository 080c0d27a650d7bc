package streams

import "errors"

// Sentinels of this package; wrap and test them with errors.Is.
var (
	// ErrFrame means that a message of BRONZE is not a frame: its subject or a header is malformed.
	ErrFrame = errors.New("streams: malformed frame")
	// ErrLocked means that another process uses the data directory.
	ErrLocked = errors.New("streams: data directory in use")
	// ErrServer means that the embedded server could not start or stopped by itself.
	ErrServer = errors.New("streams: embedded server failed")
	// ErrFull means that the log has reached its size limit and refuses to grow.
	ErrFull = errors.New("streams: log full")
	// ErrTooLarge means that a frame exceeds the log's message size.
	ErrTooLarge = errors.New("streams: frame too large")
	// ErrClosed means that the publisher or the log was closed.
	ErrClosed = errors.New("streams: closed")
)
