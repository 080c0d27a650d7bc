package streams

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockFile is the file in the data directory whose lock says that it is in use. NATS has no such lock of its own, and
// two servers on one store destroy it.
const lockFile = "lock"

// dirLock is the lock on a data directory. The kernel releases it when the process ends, however that happens, so that
// a stale file holds nobody up.
type dirLock struct{ file *os.File }

// lockDir takes the lock on dir without waiting. If another process has it, the error wraps ErrLocked and names it.
func lockDir(dir string) (*dirLock, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: lock the data directory: %w", ErrServer, err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%w: process %s holds %s; stop it, talk to it as a server, or use another data directory",
			ErrLocked, holder(file), dir)
	} else if err == nil {
		err = writePID(file)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &dirLock{file}, nil
}

func (l *dirLock) release() error { return l.file.Close() }

// holder reads the process id that the holder of the lock left in the file.
func holder(file *os.File) string {
	const pidBytesMax = 20
	pid, err := io.ReadAll(io.LimitReader(file, pidBytesMax))
	if s := strings.TrimSpace(string(pid)); err == nil && s != "" {
		return s
	}
	return "(unknown)"
}

func writePID(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintln(file, os.Getpid())
	return err
}
