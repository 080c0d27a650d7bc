package schema

import "errors"

// Sentinels of a Store, for those who do not link the one that there is; sovereign has more. Test for them with errors.Is.
var (
	// ErrFenced means that whoever writes has been overtaken by another writer, or has never taken over. Nothing was written, and
	// trying again is of no use.
	ErrFenced = errors.New("store: fenced")
	// ErrIO means that a file could not be read or written: a full disk, a lost volume, a version pruned while it was
	// being read.
	ErrIO = errors.New("store: input or output failed")
)
