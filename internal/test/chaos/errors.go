package chaos

import "errors"

// ErrSkip means that a fault cannot be made on this machine; what it wraps says why.
var ErrSkip = errors.New("cannot be done here")

// errEnded means that the program ended although it should have served; what it said goes along.
var errEnded = errors.New("torture: the program ended")
