package bronze

import "errors"

// ErrKey means that a natural key cannot be used: it has no components, too many, or one that does not exist.
var ErrKey = errors.New("bronze: invalid natural key")
