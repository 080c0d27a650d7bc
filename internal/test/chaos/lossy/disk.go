package lossy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// ErrMount means that file systems cannot be mounted here.
var ErrMount = errors.New("lossy: cannot mount a FUSE file system")

// Op is what the program asks of the disk, as far as it may fail.
type Op int

// The operations.
const (
	OpRead Op = iota
	OpWrite
	OpSync
	OpName // creates, renames, removes
)

// Disk is a disk whose power may be cut. Its methods may be called from several goroutines.
type Disk struct {
	dir    string // flat files: live/N as the program sees them, kept/N as they were last synced
	strict bool

	mu   sync.Mutex
	root *item
	last uint64
	off  bool // power: nothing gets through any more
	fail func(Op) syscall.Errno
	slow time.Duration // of a sync
	cuts int           // of the power
	lost int           // files and names that cuts took

	server *fuse.Server
	mount  string
}

// New returns an empty disk that keeps its bytes below dir.
func New(dir string, strict bool) (*Disk, error) {
	for _, name := range []string{"live", "kept"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			return nil, err
		}
	}
	d := &Disk{dir: dir, strict: strict, fail: func(Op) syscall.Errno { return 0 }}
	d.root = d.newItem(true)
	return d, nil
}

// Mount makes the disk appear at a directory. Errors wrap ErrMount.
func (d *Disk) Mount(at string) error {
	if err := os.MkdirAll(at, 0o700); err != nil {
		return err
	}
	second := time.Second
	server, err := fs.Mount(at, &node{disk: d, item: d.root}, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "lossy", Name: "lossy"},
		EntryTimeout: &second, AttrTimeout: &second,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMount, err)
	}
	d.server, d.mount = server, at
	return nil
}

// Unmount takes it away again. No process may use it.
func (d *Disk) Unmount() error {
	if d.server == nil {
		return nil
	}
	server := d.server
	d.server = nil
	return server.Unmount()
}

// Off cuts the power: from now on every request fails, until the processes that made them are gone and On is called.
func (d *Disk) Off() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
}

// On brings the disk back with what survived.
func (d *Disk) On() error {
	at := d.mount
	if err := d.Unmount(); err != nil {
		return err
	}
	if err := d.forget(); err != nil {
		return err
	}
	return d.Mount(at)
}

// Lost is how many files lost bytes, and how many names were lost or came back, at all cuts together.
func (d *Disk) Lost() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost
}

// Fail makes operations fail for which f returns an error number; nil: none.
func (d *Disk) Fail(f func(Op) syscall.Errno) {
	if f == nil {
		f = func(Op) syscall.Errno { return 0 }
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = f
}

// Slow makes each sync take that much longer.
func (d *Disk) Slow(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slow = by
}

// Export writes the disk as the program sees it to a directory that does not exist yet.
func (d *Disk) Export(to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.export(d.root, to)
}

func (d *Disk) export(i *item, to string) error {
	if !i.dir {
		return copyFile(d.live(i), to)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for name, child := range i.live {
		if err := d.export(child, filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}
