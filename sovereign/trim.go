package sovereign

import "time"

// trimInterval is how often trim gives memory back.
const trimInterval = 250 * time.Millisecond

// trim gives back to the system what the calls under way, and those that have ended since it last did, left free in the heap
// of C, until close: they allocate much and keep little, and Go's collector knows nothing of it.
func (c *calls) trim() {
	defer c.active.Done()
	tick := time.NewTicker(trimInterval)
	defer tick.Stop()
	for seen := c.ended.Load(); ; {
		select {
		case <-tick.C:
			if ended := c.ended.Load(); ended != seen || len(c.slots) > 0 {
				seen = ended
				trimMemory()
			}
		case <-c.done:
			return
		}
	}
}
