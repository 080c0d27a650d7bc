package sovereign

import (
	"errors"

	"assay/sovereign/schema"
)

// Sentinels of this package; test for them with errors.Is.
var (
	// ErrNotFound means that there is no table of that name.
	ErrNotFound = errors.New("sovereign: no such table")
	// ErrInvalid means that a query, a filter or rows make no sense; the message says which.
	ErrInvalid = errors.New("sovereign: invalid request")
	// ErrSchema means that a table, or rows for it, have other columns than this version of Assay expects.
	ErrSchema = errors.New("sovereign: schema mismatch")
	// ErrConflict means that other LanceDB clients kept committing to the table first. Nothing was written; trying again
	// is safe.
	ErrConflict = errors.New("sovereign: too many concurrent writers")
	// ErrFenced means that a duty under whose epoch was to be written has passed on to another writer, or was never claimed. Nothing
	// was written, and trying again is of no use.
	ErrFenced = schema.ErrFenced
	// ErrIO means that a file could not be read or written: a full disk, a lost volume, a version pruned while it was
	// being read.
	ErrIO = schema.ErrIO
	// ErrInternal means a bug in the native library.
	ErrInternal = errors.New("sovereign: internal error")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("sovereign: store closed")
)
