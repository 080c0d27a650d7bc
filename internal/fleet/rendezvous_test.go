package fleet

import (
	"fmt"
	"testing"
)

func TestShares(t *testing.T) {
	const partitions = 16
	var before []share
	for n := 1; n <= 5; n++ {
		var workers []string
		for i := range n {
			workers = append(workers, fmt.Sprintf("w%d", i))
		}
		now := shares(workers, partitions)
		load, moved := map[string]int{}, 0
		for p, s := range now {
			load[s.owner]++
			if s.owner == "" || s.owner == s.standby || (s.standby == "") != (n == 1) {
				t.Errorf("%d workers: partition %d has %+v", n, p, s)
			}
			if before != nil && before[p].owner != s.owner {
				moved++
			}
		}
		for _, name := range workers {
			if owned := load[name]; owned < partitions/n || owned > (partitions+n-1)/n {
				t.Errorf("%d workers: %s owns %d", n, name, owned)
			}
		}
		if moved > 2*partitions/n+2 {
			t.Errorf("%d partitions move where worker %d comes", moved, n)
		}
		before = now
	}
	if empty := shares(nil, 2); empty[0] != (share{}) {
		t.Errorf("without workers %+v", empty)
	}
}
