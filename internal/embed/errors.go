package embed

import "errors"

// Sentinels of this package; test them with errors.Is.
var (
	// ErrOptions means that an endpoint cannot be used as it was configured.
	ErrOptions = errors.New("embed: invalid options")
	// ErrUnavailable means that the endpoint could not be reached, was overloaded or failed; later it may answer.
	ErrUnavailable = errors.New("embed: endpoint unavailable")
	// ErrRefused means that the endpoint will not embed these texts, however often it is asked: one of them is too long, say.
	ErrRefused = errors.New("embed: texts refused")
	// ErrMisconfigured means that the endpoint answers and the settings do not fit it: its key, model, path or dimensions.
	ErrMisconfigured = errors.New("embed: settings do not fit the endpoint")
	// ErrNoModel means that there is no static model: the program was built without one, or a directory holds none.
	ErrNoModel = errors.New("embed: no static model")
	// ErrModel means that the files of a static model cannot be read, or are of a form that is not understood.
	ErrModel = errors.New("embed: static model cannot be used")
)
