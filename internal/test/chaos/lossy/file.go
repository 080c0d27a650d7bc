package lossy

import (
	"context"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// file is an open file.
type file struct {
	disk *Disk
	item *item
	live *os.File
}

var _ = (interface {
	fs.FileReader
	fs.FileWriter
	fs.FileFlusher
	fs.FileFsyncer
	fs.FileReleaser
	fs.FileAllocater
})((*file)(nil))

// open opens the live bytes of an item. The kernel appends by itself, so that O_APPEND is not passed on.
func (d *Disk) open(i *item, flags uint32) (*file, syscall.Errno) {
	mode := os.O_RDWR | int(flags)&(syscall.O_CREAT|syscall.O_TRUNC)
	if mode&syscall.O_TRUNC != 0 {
		i.floor = 0
	}
	live, err := os.OpenFile(d.live(i), mode, 0o600)
	if err != nil {
		return nil, fs.ToErrno(err)
	}
	return &file{d, i, live}, 0
}

// Read reads live bytes.
func (f *file) Read(_ context.Context, into []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	f.disk.mu.Lock()
	errno := f.disk.permit(OpRead)
	f.disk.mu.Unlock()
	if errno != 0 {
		return nil, errno
	}
	return fuse.ReadResultFd(f.live.Fd(), at, len(into)), 0
}

// Write writes them.
func (f *file) Write(_ context.Context, from []byte, at int64) (uint32, syscall.Errno) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if errno := f.disk.permit(OpWrite); errno != 0 {
		return 0, errno
	}
	n, err := f.live.WriteAt(from, at)
	f.item.wrote(at, at+int64(n))
	return uint32(n), fs.ToErrno(err)
}

// Allocate makes room.
func (f *file) Allocate(_ context.Context, at, size uint64, mode uint32) syscall.Errno {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if errno := f.disk.permit(OpWrite); errno != 0 {
		return errno
	}
	f.item.wrote(int64(at), int64(at+size))
	return fs.ToErrno(syscall.Fallocate(int(f.live.Fd()), mode, int64(at), int64(size)))
}

// Flush is what a close does: nothing that lasts.
func (f *file) Flush(context.Context) syscall.Errno { return 0 }

// Fsync makes the file's bytes survive.
func (f *file) Fsync(context.Context, uint32) syscall.Errno { return f.disk.sync(f.item) }

// Release closes it.
func (f *file) Release(context.Context) syscall.Errno { return fs.ToErrno(f.live.Close()) }
