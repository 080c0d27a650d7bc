package fleet

import (
	"cmp"
	"crypto/sha1"
	"encoding/binary"
	"slices"
	"strconv"
)

// ranked orders workers by how much a partition is theirs: the first is to own it, the second to stand by. Where a worker comes or
// goes, only its own partitions move.
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
