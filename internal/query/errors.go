package query

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrNotFound means that nothing is known of what was asked for.
	ErrNotFound = errors.New("not found")
	// ErrRequest means that a request contradicts itself or lacks something.
	ErrRequest = errors.New("invalid request")
	// ErrConflict means that what was asked for cannot be done in the state that things are in.
	ErrConflict = errors.New("not possible now")
	// ErrUnanswered means that a worker of the fleet that had to be asked did not answer.
	ErrUnanswered = errors.New("not answered")
	// ErrServer means that the server could not be reached or failed to answer.
	ErrServer = errors.New("server")
)
