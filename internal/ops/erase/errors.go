package erase

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrUnknown means that nothing is known of the workflow.
	ErrUnknown = errors.New("forget: unknown workflow")
	// ErrPending means that promotions of the workflow still wait to be published, and nobody has given them up.
	ErrPending = errors.New("forget: promotions are pending")
	// ErrBusy means that a promotion of the workflow is being published right now.
	ErrBusy = errors.New("forget: a promotion is being published")
)
