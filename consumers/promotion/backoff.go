package promotion

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long to wait after failures in a row: a random time below a bound that doubles from Base to Max, so
// that many who failed together do not come back together.
type Backoff struct {
	Base time.Duration // bound after the first failure
	Max  time.Duration // highest bound
}

// delay is the wait after that many failures, from 1.
func (b Backoff) delay(failures int) time.Duration {
	bound := b.Base
	for i := 1; i < failures && bound < b.Max; i++ {
		bound *= 2
	}
	return time.Duration(rand.Int64N(int64(min(bound, b.Max)))) + 1
}
