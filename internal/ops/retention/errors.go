package retention

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrHorizon means that the horizons cannot be read or written.
	ErrHorizon = errors.New("retention: horizons")
	// ErrStore means that a table could not be read or written.
	ErrStore = errors.New("retention: store failed")
)
