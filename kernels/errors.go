package kernels

import "errors"

var (
	// ErrLength means that the columns of one call differ in length, or that there are none.
	ErrLength = errors.New("columns must have the same length")

	// ErrPattern means that a contract's repair marker is not a regular expression of RE2, or exceeds one of the limits
	// on patterns. The buffer stays as it is; the caller counts it.
	ErrPattern = errors.New("invalid repair marker")
)
