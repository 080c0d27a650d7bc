//go:build faults

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

var (
	chosen, times = choose(os.Getenv("FAULT_POINT"))
	passed        atomic.Int64
)

// Point kills the process if it is the chosen one and was passed often enough.
func Point(name string) {
	if name == chosen && passed.Add(1) == times {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // no step more: the signal may take effect a moment later
	}
}

// choose reads POINT:N; anything else chooses nothing.
func choose(setting string) (point string, n int64) {
	at := strings.LastIndexByte(setting, ':')
	if at < 0 {
		return "", 0
	}
	n, err := strconv.ParseInt(setting[at+1:], 10, 64)
	if err != nil {
		return "", 0
	}
	return setting[:at], n
}
