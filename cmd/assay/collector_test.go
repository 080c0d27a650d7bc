package main

import (
	"errors"
	"math"
	"testing"
)

func TestHeapLimitFollowsWhatTheSystemGrants(t *testing.T) {
	for _, c := range []struct {
		granted uint64
		err     error
		want    int64 // MiB
	}{
		{err: errors.New("no control group"), want: 160},
		{granted: math.MaxUint64, want: 160}, // as version 1 of control groups says that there is no limit
		{granted: 1 << 30, want: 160},
		{granted: 320 << 20, want: 136},
		{granted: 256 << 20, want: 72},
		{granted: 128 << 20, want: 64},
	} {
		if got := heapLimit(c.granted, c.err); got != c.want<<20 {
			t.Errorf("%d bytes granted, %v: heap limit %d MiB; want %d", c.granted, c.err, got>>20, c.want)
		}
	}
}
