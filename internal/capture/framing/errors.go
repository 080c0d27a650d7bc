package framing

import (
	"errors"
	"fmt"
)

// Sentinels of this package; test them with errors.Is.
var (
	// ErrTooLarge means that an event exceeds the limit of its Splitter. It is always a *TooLargeError.
	ErrTooLarge = errors.New("framing: event too large")
	// ErrFormat means that a content type is none of those that can be split.
	ErrFormat = errors.New("framing: unknown content type")
)

// TooLargeError tells which event exceeds the limit.
type TooLargeError struct {
	Position uint64 // events of the stream before it
	Offset   int64  // bytes of the stream before it
	Limit    int    // bytes that it may have
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%v: event %d, at byte %d of the stream, has more than %d bytes", ErrTooLarge, e.Position, e.Offset, e.Limit)
}

// Unwrap returns ErrTooLarge.
func (e *TooLargeError) Unwrap() error { return ErrTooLarge }
