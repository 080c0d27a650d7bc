package edge

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrHistory means that the hub has frames of this edge that its log does not have.
	ErrHistory = errors.New("edge: the hub has other frames of this edge than its log")
	// ErrHub means that a hub did not take frames now. Sending them again is safe.
	ErrHub = errors.New("edge: the hub did not take the frames")
	// ErrBody means that a body holds no forwarded frames.
	ErrBody = errors.New("edge: malformed body")
	// errLost means that a frame that the log has did not arrive.
	errLost = errors.New("edge: a frame was lost on its way from the log")
)
