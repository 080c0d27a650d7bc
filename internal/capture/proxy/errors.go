package proxy

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrBehind means that the recording of a body was given up, because too much waited to be recorded.
	ErrBehind = errors.New("proxy: recording given up")
	// ErrUpstream means that the upstream server could not be reached or broke off.
	ErrUpstream = errors.New("proxy: upstream failed")
)
