package capture

import "errors"

// Sentinels of this package; wrap and test them with errors.Is.
var (
	// ErrNotInput means that a file holds nothing that is known to be a recording.
	ErrNotInput = errors.New("capture: not a recording")
	// ErrEmpty means that a file holds no bytes.
	ErrEmpty = errors.New("capture: empty")
	// ErrUnfinished means that the end of an input is no event, because what ends an event is missing. Its bytes are kept.
	ErrUnfinished = errors.New("capture: unfinished event")
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
	// ErrTooLong means that the body of a request exceeds the limit on bodies.
	ErrTooLong = errors.New("capture: body too long")
	// ErrTimeout means that the body of a request took longer than the limit on its time.
	ErrTimeout = errors.New("capture: body took too long")
	// ErrStopping means that the server ended a request because it stops.
	ErrStopping = errors.New("capture: the server is stopping")
	// ErrURL means that a followed URL does not answer with an event stream.
	ErrURL = errors.New("capture: no event stream")
	// ErrRemote means that an Assay server could not be reached or did not take frames now. Sending them again is safe.
	ErrRemote = errors.New("capture: server did not take the frames")
	// ErrRefused means that an Assay server will not take a frame, however often it is sent.
	ErrRefused = errors.New("capture: server refused a frame")
)
