package app

import "testing"

// A journal never holds more than thrice what its state takes where journals crowd their stream, and is not written anew all the time
// either way.
func TestRebaseDue(t *testing.T) {
	const state = 100 << 20
	for _, crowded := range []bool{false, true} {
		due, written, appended := rebaseDue{usually: rebaseBytes}, uint64(0), uint64(0)
		held, most := uint64(state), uint64(0) // by earlier epochs
		rebases := 0
		for range 2000 {
			appended += 1 << 20
			held += 1 << 20
			most = max(most, held)
			if !due.at(written+appended, func() bool { return crowded }) {
				continue
			}
			from := written + appended
			written += state
			most = max(most, held+state)
			due, held = rebaseAfter(from, written+appended), state
			rebases++
		}
		if limit := uint64(3*state + 1<<20); crowded && most > limit {
			t.Errorf("%d bytes are held; want %d at most", most, limit)
		}
		if limit := int(appended/state) + 1; rebases == 0 || rebases > limit {
			t.Errorf("crowded %v: a state of %d bytes is written %d times for %d bytes of commits", crowded, state, rebases, appended)
		}
	}
}
