package streams

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Sentinels of this package; test for them with errors.Is.
var (
	// ErrFenced means that another owner has taken over, and that nothing was written.
	ErrFenced = errors.New("streams: fenced")
	// ErrUndefined means that a server has no log yet, and that it is not the caller's to define one.
	ErrUndefined = errors.New("streams: the log is not defined: run `assay fleet init`")
	// ErrFrame means that a frame, or a message of BRONZE, is malformed: its subject or a header is at fault.
	ErrFrame = errors.New("streams: malformed frame")
	// ErrLocked means that another process uses the data directory.
	ErrLocked = errors.New("streams: data directory in use")
	// ErrServer means that the embedded server could not start or stopped by itself.
	ErrServer = errors.New("streams: embedded server failed")
	// ErrConfig means that a setting is out of its range, or that a stream exists in a form that cannot become the one
	// asked for.
	ErrConfig = errors.New("streams: configuration refused")
	// ErrFull means that a stream has reached its size limit, or the disk its end, and refuses to grow.
	ErrFull = errors.New("streams: log full")
	// ErrTooLarge means that a message exceeds the log's message size.
	ErrTooLarge = errors.New("streams: message too large")
	// ErrUnavailable means that the log gave no answer in time. What was published may be stored or not; publishing it
	// again is safe.
	ErrUnavailable = errors.New("streams: log unavailable")
	// ErrChain means that a checkpoint of the chain cannot be read.
	ErrChain = errors.New("streams: malformed checkpoint")
	// ErrTombstone means that a tombstone cannot be read.
	ErrTombstone = errors.New("streams: malformed tombstone")
	// ErrGone means that a message is not in the log: it never was, or has left it.
	ErrGone = errors.New("streams: not in the log")
	// ErrClosed means that the publisher was closed.
	ErrClosed = errors.New("streams: publisher closed")
)

// Error codes of the server that have no constant in nats.go. jetstreamext's list of the batch codes differs from the
// server's for some; these are the server's (server/errors.json).
const (
	codeAccountResources   jetstream.ErrorCode = 10002
	codeNoPeers            jetstream.ErrorCode = 10005 // also while a cluster is starting
	codeUnavailable        jetstream.ErrorCode = 10008
	codeServerResources    jetstream.ErrorCode = 10023
	codeStorageResources   jetstream.ErrorCode = 10047
	codeStoreFailed        jetstream.ErrorCode = 10077
	codeDuplicateInProcess jetstream.ErrorCode = 10158
	codeTooManyRequests    jetstream.ErrorCode = 10167
	codeBatchIncomplete    jetstream.ErrorCode = 10176
	codeBatchDuplicate     jetstream.ErrorCode = 10201
	codeTooManyBatches     jetstream.ErrorCode = 10210
)

// publishError gives a refusal by the log its sentinel and says what to do.
func publishError(err error) error {
	switch code := errorCode(err); {
	case err == nil:
		return nil
	case code == jetstream.JSErrCodeStreamMessageExceedsMaximum || errors.Is(err, nats.ErrMaxPayload) ||
		code == codeStoreFailed && strings.Contains(err.Error(), "too large"):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case code == codeStoreFailed && strings.Contains(err.Error(), "maximum"):
		return fmt.Errorf("%w: raise log.max_bytes, lower log.max_age, or set log.discard: old, which drops the oldest frames: %w", ErrFull, err)
	case code == codeAccountResources || code == codeServerResources || code == codeStorageResources ||
		code == codeStoreFailed && strings.Contains(err.Error(), "no space"):
		return fmt.Errorf("%w: free disk space or raise max_file_store: %w", ErrFull, err)
	case transient(err) || errors.Is(err, nats.ErrConnectionClosed):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("streams: publish: %w", err)
}

// Transient reports whether an error of the log, such as during an election, may be over a moment later.
func Transient(err error) bool { return errors.Is(err, ErrUnavailable) || transient(err) }

// transient reports whether the same request may succeed a moment later. After such an error it is unknown whether the
// log stored what was published.
func transient(err error) bool {
	if noRoom(err) {
		return false
	}
	switch errorCode(err) {
	case codeNoPeers, codeUnavailable, codeDuplicateInProcess, codeTooManyRequests, codeBatchIncomplete,
		codeTooManyBatches:
		return true
	}
	for _, e := range []error{
		nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting,
		nats.ErrReconnectBufExceeded, jetstream.ErrNoStreamResponse,
		jetstream.ErrAsyncPublishTimeout, jetstream.ErrTooManyStalledMsgs, errAttemptTimeout, errOvertaken,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// noRoom reports whether no server, or not enough of a cluster's, has room for a stream's limit. A cluster says so under the code
// that it also has for servers that are not up yet.
func noRoom(err error) bool {
	switch errorCode(err) {
	case codeAccountResources, codeServerResources, codeStorageResources:
		return true
	case codeNoPeers:
		return strings.Contains(err.Error(), "insufficient storage")
	}
	return false
}

// IsConflict tells whether a write that depends on what was there before was refused, because somebody else wrote meanwhile. Where a
// stream has replicas the server has a code of its own for a write that is still under way.
func IsConflict(err error) bool {
	switch errorCode(err) {
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return true
	}
	return false
}

// errorCode is the server's error code, 0 if the error did not come from it.
func errorCode(err error) jetstream.ErrorCode {
	var js jetstream.JetStreamError
	if errors.As(err, &js) && js.APIError() != nil {
		return js.APIError().ErrorCode
	}
	var watching *nats.APIError // as buckets have it that are watched
	if errors.As(err, &watching) {
		return jetstream.ErrorCode(watching.ErrorCode)
	}
	return 0
}
