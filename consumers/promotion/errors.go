package promotion

import "errors"

// Sentinels of this package; test for them with errors.Is.
var (
	// ErrInvalid means that a message of PROMOTION is not a promotion as its schema has it; it becomes a dead letter.
	ErrInvalid = errors.New("promotion: invalid promotion")
	// ErrOptions means that Options or an Endpoint cannot be used.
	ErrOptions = errors.New("promotion: invalid options")

	// ErrUnavailable means that the registry did not take the promotion now: it is tried again.
	ErrUnavailable = errors.New("promotion: registry unavailable")
	// ErrUnanswered means that the promotion was sent and no usable answer came, so it may have been published: the
	// registry is asked before it is sent again.
	ErrUnanswered = errors.New("promotion: registry did not answer")
	// ErrRejected means that the registry refused the promotion: it is tried again only by command.
	ErrRejected = errors.New("promotion: registry rejected the promotion")

	// ErrUnknown means that no promotion has that event_uuid.
	ErrUnknown = errors.New("promotion: no such promotion")
	// ErrBusy means that the promotion is being published at this moment; ask again in a few seconds.
	ErrBusy = errors.New("promotion: being published now")
	// ErrPublished means that the promotion has been published, so there is nothing to retry or reject.
	ErrPublished = errors.New("promotion: already published")
	// ErrWatch means that the watch of the bucket ended, for instance because the bucket was deleted.
	ErrWatch = errors.New("promotion: watch of the bucket ended")
)
