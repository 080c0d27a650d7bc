package rebuild

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrAged means that the tables hold rows of frames which the log no longer has, so that rebuilding would lose them.
	ErrAged = errors.New("rebuild: the log no longer holds all that the tables do")
	// ErrFiles means that the directories could not be made or moved.
	ErrFiles = errors.New("rebuild: files")
	// ErrLog means that a frame which had been read cannot be read again.
	ErrLog = errors.New("rebuild: the log changed meanwhile")
	// ErrStore means that the tables could not be read or written.
	ErrStore = errors.New("rebuild: store failed")
)
