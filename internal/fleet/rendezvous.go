package fleet

import (
	"cmp"
	"crypto/sha1"
	"encoding/binary"
	"slices"
	"strconv"
)

// share is who is to own a partition, and who stands by; "" for nobody.
type share struct{ owner, standby string }

// shares divides partitions among workers by rendezvous hashing, evenly: no worker gets two more than another. It depends on the set of
// workers alone, and where one comes or goes, few partitions move besides those that have to.
func shares(workers []string, partitions int) []share {
	all := make([]share, partitions)
	if len(workers) == 0 {
		return all
	}
	least, over := partitions/len(workers), partitions%len(workers) // so many workers have one more
	load := map[string]int{}
	for p := range all {
		order := ranked(workers, p)
		for _, name := range order {
			switch {
			case all[p].owner == "" && (load[name] < least || load[name] == least && over > 0):
				all[p].owner = name
				if load[name]++; load[name] > least {
					over--
				}
			case all[p].standby == "":
				all[p].standby = name
			}
		}
	}
	return all
}

// ranked orders workers by how much a partition is theirs.
func ranked(workers []string, partition int) []string {
	order := slices.Clone(workers)
	slices.SortFunc(order, func(a, b string) int {
		return cmp.Or(cmp.Compare(weight(b, partition), weight(a, partition)), cmp.Compare(a, b))
	})
	return order
}

func weight(worker string, partition int) uint64 {
	sum := sha1.Sum([]byte(worker + "|" + strconv.Itoa(partition)))
	return binary.BigEndian.Uint64(sum[:8])
}
