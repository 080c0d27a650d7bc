package lossy

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is an item as the kernel knows it.
type node struct {
	fs.Inode
	disk *Disk
	item *item
}

var _ = (interface {
	fs.NodeLookuper
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeReaddirer
	fs.NodeMkdirer
	fs.NodeCreater
	fs.NodeOpener
	fs.NodeLinker
	fs.NodeRenamer
	fs.NodeUnlinker
	fs.NodeRmdirer
	fs.NodeFsyncer
	fs.NodeStatfser
})((*node)(nil))

// Lookup finds an entry.
func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.permit(OpRead); errno != 0 {
		return nil, errno
	}
	i := n.item.live[name]
	if i == nil {
		return nil, syscall.ENOENT
	}
	return n.child(ctx, i, out)
}

// child is the kernel's inode of an item.
func (n *node) child(ctx context.Context, i *item, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.disk.attr(i, &out.Attr); errno != 0 {
		return nil, errno
	}
	mode := uint32(syscall.S_IFREG)
	if i.dir {
		mode = syscall.S_IFDIR
	}
	return n.NewInode(ctx, &node{disk: n.disk, item: i}, fs.StableAttr{Mode: mode, Ino: i.id, Gen: uint64(n.disk.cuts) + 1}), 0
}

// attr fills in what is known of an item.
func (d *Disk) attr(i *item, out *fuse.Attr) syscall.Errno {
	out.Ino = i.id
	if i.dir {
		out.Mode, out.Nlink = syscall.S_IFDIR|0o700, 2
		out.SetTimes(&i.born, &i.born, &i.born)
		return 0
	}
	var st syscall.Stat_t
	if err := syscall.Stat(d.live(i), &st); err != nil {
		return fs.ToErrno(err)
	}
	out.FromStat(&st)
	out.Ino, out.Mode, out.Nlink = i.id, syscall.S_IFREG|0o600, uint32(len(i.names))
	return 0
}

// Getattr tells what is known of the item.
func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	return n.disk.attr(n.item, &out.Attr)
}

// Setattr truncates and sets times; owners and modes are taken and forgotten.
func (n *node) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.permit(OpWrite); errno != 0 {
		return errno
	}
	if size, ok := in.GetSize(); ok && !n.item.dir {
		if err := os.Truncate(n.disk.live(n.item), int64(size)); err != nil {
			return fs.ToErrno(err)
		}
		n.item.floor = min(n.item.floor, int64(size))
	}
	if mtime, ok := in.GetMTime(); ok && !n.item.dir {
		if err := os.Chtimes(n.disk.live(n.item), time.Time{}, mtime); err != nil {
			return fs.ToErrno(err)
		}
	}
	return n.disk.attr(n.item, &out.Attr)
}

// Readdir lists the entries.
func (n *node) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.permit(OpRead); errno != 0 {
		return nil, errno
	}
	var entries []fuse.DirEntry
	for name, i := range n.item.live {
		mode := uint32(syscall.S_IFREG)
		if i.dir {
			mode = syscall.S_IFDIR
		}
		entries = append(entries, fuse.DirEntry{Name: name, Mode: mode, Ino: i.id})
	}
	return fs.NewListDirStream(entries), 0
}

// Mkdir makes a directory.
func (n *node) Mkdir(ctx context.Context, name string, _ uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.permit(OpName); errno != 0 {
		return nil, errno
	}
	if n.item.live[name] != nil {
		return nil, syscall.EEXIST
	}
	i := n.disk.newItem(true)
	n.disk.enter(n.item, name, i)
	return n.child(ctx, i, out)
}

// Create makes a file and opens it.
func (n *node) Create(
	ctx context.Context, name string, flags, _ uint32, out *fuse.EntryOut,
) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.permit(OpName); errno != 0 {
		return nil, nil, 0, errno
	}
	i := n.item.live[name]
	switch {
	case i == nil:
		i = n.disk.newItem(false)
		n.disk.enter(n.item, name, i)
	case flags&syscall.O_EXCL != 0:
		return nil, nil, 0, syscall.EEXIST
	}
	file, errno := n.disk.open(i, flags|syscall.O_CREAT)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	inode, errno := n.child(ctx, i, out)
	return inode, file, 0, errno
}

// Open opens a file.
func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.permit(OpRead); errno != 0 {
		return nil, 0, errno
	}
	file, errno := n.disk.open(n.item, flags)
	return file, fuse.FOPEN_KEEP_CACHE, errno
}

// Link gives a file another name.
func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.permit(OpName); errno != 0 {
		return nil, errno
	}
	if n.item.live[name] != nil {
		return nil, syscall.EEXIST
	}
	i := target.(*node).item
	n.disk.enter(n.item, name, i)
	return n.child(ctx, i, out)
}

// Rename moves an entry. Exchanging two is not supported.
func (n *node) Rename(_ context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	const noReplace, exchange = 1, 2
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.permit(OpName); errno != 0 {
		return errno
	}
	i, to := n.item.live[name], parent.(*node).item
	switch {
	case i == nil:
		return syscall.ENOENT
	case flags&exchange != 0:
		return syscall.EINVAL
	case flags&noReplace != 0 && to.live[newName] != nil:
		return syscall.EEXIST
	case to.live[newName] != nil && to.live[newName].dir && len(to.live[newName].live) > 0:
		return syscall.ENOTEMPTY
	case to.live[newName] == i:
		return 0
	}
	n.disk.leave(n.item, name)
	n.disk.enter(to, newName, i)
	return 0
}

// Unlink removes a name.
func (n *node) Unlink(_ context.Context, name string) syscall.Errno { return n.remove(name) }

// Rmdir removes an empty directory.
func (n *node) Rmdir(_ context.Context, name string) syscall.Errno { return n.remove(name) }

func (n *node) remove(name string) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.permit(OpName); errno != 0 {
		return errno
	}
	i := n.item.live[name]
	switch {
	case i == nil:
		return syscall.ENOENT
	case i.dir && len(i.live) > 0:
		return syscall.ENOTEMPTY
	}
	n.disk.leave(n.item, name)
	return 0
}

// Fsync makes a directory's entries survive; files have handles for that.
func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return n.disk.sync(n.item)
}

// sync makes an item survive.
func (d *Disk) sync(i *item) syscall.Errno {
	d.mu.Lock()
	slow := d.slow
	d.mu.Unlock()
	<-time.After(slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.permit(OpSync); errno != 0 {
		return errno
	}
	if i.dir {
		d.syncDir(i)
		return 0
	}
	var errno syscall.Errno
	if err := d.syncFile(i); errors.As(err, &errno) {
		return errno
	} else if err != nil {
		return syscall.EIO
	}
	return 0
}

// Statfs tells of plenty of room.
func (n *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	var st syscall.Statfs_t
	if err := syscall.Statfs(n.disk.dir, &st); err != nil {
		return fs.ToErrno(err)
	}
	out.FromStatfsT(&st)
	return 0
}
