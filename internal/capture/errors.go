package capture

import "errors"

// Sentinels of this package; wrap and test them with errors.Is.
var (
	// ErrEventTooLarge means that an event exceeds the event limit, so that no frame can carry it.
	ErrEventTooLarge = errors.New("capture: event too large")
	// ErrNotInput means that a file holds nothing that is known to be a recording.
	ErrNotInput = errors.New("capture: not a recording")
	// ErrEmpty means that a file holds no bytes.
	ErrEmpty = errors.New("capture: empty")
	// ErrStream means that a stream id was given for more than one file.
	ErrStream = errors.New("capture: one stream id for several files")
	// ErrClosed means that a recorder was written to after Close.
	ErrClosed = errors.New("capture: recorder closed")
	// ErrRequest means that a request to the ingest endpoint is malformed.
	ErrRequest = errors.New("capture: malformed request")
	// ErrMedia means that a body's content type or encoding is not one that can be captured.
	ErrMedia = errors.New("capture: unsupported media type")
	// ErrBusy means that as many streams are open as the limit allows.
	ErrBusy = errors.New("capture: too many open streams")
	// ErrRemote means that another Assay server refused frames or could not be reached.
	ErrRemote = errors.New("capture: server refused the frames")
)
