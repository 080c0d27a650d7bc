package audit

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrColumn means that a table has a column of a type that an audit cannot read.
	ErrColumn = errors.New("audit: unreadable column")
	// ErrStore means that the tables could not be read.
	ErrStore = errors.New("audit: store failed")
	// ErrOvertaken means that frames left the log faster than they were read.
	ErrOvertaken = errors.New("audit: the log dropped frames that were still to be read; try again")
	// ErrState means that the disk space for what is computed could not be used.
	ErrState = errors.New("audit: scratch space failed")
)
