package kernels

import (
	"crypto/sha1"
	"encoding/binary"
)

// Partition tells which of n partitions a workflow belongs to: the first four bytes of the SHA-1 of its normal form, case folded,
// modulo n. So all spellings that identities do not tell apart share one, and anyone can compute it.
func Partition(workflow string, n int) int {
	if n <= 1 {
		return 0
	}
	sum := sha1.Sum([]byte(NormaliseString(workflow, false)))
	return int(binary.BigEndian.Uint32(sum[:4]) % uint32(n))
}
