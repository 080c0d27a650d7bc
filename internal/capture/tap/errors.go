package tap

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrStart means that the server could not be started.
	ErrStart = errors.New("tap: cannot start the server")
	// ErrBehind means that the recording fell so far behind the session that it was given up.
	ErrBehind = errors.New("tap: recording given up")
)
