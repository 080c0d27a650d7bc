package promotion

import "time"

// Clock tells the time and wakes sleepers; tests pass a month in a moment with one of their own.
type Clock interface {
	Now() time.Time
	// Alarm returns a channel that receives once t is reached, and a function that releases it.
	Alarm(t time.Time) (ring <-chan time.Time, release func())
}

// systemClock is the Clock of the machine.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Alarm(t time.Time) (<-chan time.Time, func()) {
	timer := time.NewTimer(time.Until(t))
	return timer.C, func() { timer.Stop() }
}
