package promotion

import (
	"sync"
	"time"
)

// breakerThreshold is how many failures in a row open the breaker.
const breakerThreshold = 5

// breaker spares a registry that fails: after failures in a row, or when the registry asks for a pause, nothing is sent
// for a while, then one probe; its outcome decides. It is shared by all publications, so an outage with 10,000 of them
// pending costs one request at a time. It works on the times it is given, which is why it is not an off-the-shelf one.
type breaker struct {
	backoff Backoff

	mu       sync.Mutex
	failures int // in a row, while closed
	open     bool
	trips    int // in a row
	until    time.Time
	probing  bool
}

// admit reports whether an attempt may start now, and whether it is the probe; if not, when to ask again, zero meaning
// after the probe. Each admission is followed by exactly one of answered, failed and withdrawn.
func (b *breaker) admit(now time.Time) (probe, ok bool, again time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return false, true, time.Time{}
	case now.Before(b.until):
		return false, false, b.until
	case b.probing:
		return false, false, time.Time{}
	default:
		b.probing = true
		return true, true, time.Time{}
	}
}

// answered tells that the registry works, whatever it said.
func (b *breaker) answered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.open, b.trips, b.probing = 0, false, 0, false
}

// withdrawn tells that an admitted attempt did not ask the registry.
func (b *breaker) withdrawn(probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
}

// failed tells that the registry failed, and for how long it asks to be spared. Attempts that began before the breaker
// opened do not count against it again. It reports whether the breaker, closed before, opened.
func (b *breaker) failed(now time.Time, probe bool, retryAfter time.Duration) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open && !probe {
		if asked := now.Add(retryAfter); asked.After(b.until) {
			b.until = asked
		}
		return false
	}
	b.failures++
	if !probe && retryAfter == 0 && b.failures < breakerThreshold {
		return false
	}
	b.open, b.probing = true, false
	b.trips++
	b.until = now.Add(max(retryAfter, b.backoff.delay(b.trips)))
	return b.trips == 1
}

// state names the breaker's state at a time, and until when nothing is sent.
func (b *breaker) state(now time.Time) (name string, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return "closed", time.Time{}
	case now.Before(b.until):
		return "open", b.until
	default:
		return "half-open", b.until
	}
}
