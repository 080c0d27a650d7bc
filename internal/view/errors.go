package view

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrNotFound means that nothing is known of what was asked for.
	ErrNotFound = errors.New("not found")
	// ErrRequest means that a request contradicts itself or lacks something.
	ErrRequest = errors.New("invalid request")
	// ErrServer means that the server could not be reached or failed to answer.
	ErrServer = errors.New("server")
)
