package lossy

import (
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// item is a file or a directory.
type item struct {
	id   uint64
	dir  bool
	live map[string]*item // entries as the program sees them
	kept map[string]*item // as they were last synced

	names map[link]bool // where it is live
	saved map[link]bool // where it is kept
	dirty []span        // of a file, since its last sync
	floor int64         // smallest size since then
	born  time.Time     // of a directory: changed last
}

// link is one name of an item.
type link struct {
	in   *item
	name string
}

// span is a range of bytes, up to but not including to.
type span struct{ from, to int64 }

func (d *Disk) newItem(dir bool) *item {
	d.last++
	i := &item{id: d.last, dir: dir, names: map[link]bool{}, saved: map[link]bool{}, born: time.Now()}
	if dir {
		i.live, i.kept = map[string]*item{}, map[string]*item{}
	}
	return i
}

func (d *Disk) live(i *item) string {
	return filepath.Join(d.dir, "live", strconv.FormatUint(i.id, 10))
}
func (d *Disk) kept(i *item) string {
	return filepath.Join(d.dir, "kept", strconv.FormatUint(i.id, 10))
}

// permit is asked before each operation.
func (d *Disk) permit(op Op) syscall.Errno {
	if d.off {
		return syscall.EIO
	}
	return d.fail(op)
}

// enter gives an item a name, in place of what had it.
func (d *Disk) enter(in *item, name string, i *item) {
	d.leave(in, name)
	in.live[name] = i
	in.born = time.Now()
	i.names[link{in, name}] = true
}

func (d *Disk) leave(in *item, name string) {
	if i := in.live[name]; i != nil {
		delete(in.live, name)
		delete(i.names, link{in, name})
		in.born = time.Now()
	}
}

// save makes a name survive, and lets none survive under which the item is no longer known.
func save(l link, i *item) {
	if was := l.in.kept[l.name]; was != nil {
		delete(was.saved, l)
	}
	l.in.kept[l.name] = i
	i.saved[l] = true
	for old := range i.saved {
		if !i.names[old] {
			delete(old.in.kept, old.name)
			delete(i.saved, old)
		}
	}
}

// saveAbove makes the names of an item survive, and those of the directories above.
func saveAbove(i *item) {
	for l := range i.names {
		if l.in.kept[l.name] != i {
			save(l, i)
		}
		saveAbove(l.in)
	}
}

// syncDir makes the entries of a directory survive.
func (d *Disk) syncDir(in *item) {
	for name, i := range in.live {
		if in.kept[name] != i {
			save(link{in, name}, i)
		}
	}
	for name, i := range maps.Clone(in.kept) {
		if in.live[name] == i {
			continue
		}
		delete(in.kept, name)
		delete(i.saved, link{in, name})
		for l := range i.names { // it was moved elsewhere
			save(l, i)
		}
	}
	if !d.strict {
		saveAbove(in)
	}
}

// syncFile makes the bytes of a file survive.
func (d *Disk) syncFile(i *item) error {
	from, err := os.Open(d.live(i))
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(d.kept(i), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer to.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if had, err := to.Stat(); err == nil && had.Size() > i.floor {
		err = to.Truncate(i.floor)
		if err != nil {
			return err
		}
	}
	for _, s := range i.dirty {
		part := io.NewSectionReader(from, s.from, s.to-s.from)
		if _, err := io.Copy(io.NewOffsetWriter(to, s.from), part); err != nil {
			return err
		}
	}
	i.dirty, i.floor = nil, info.Size()
	if !d.strict {
		saveAbove(i)
	}
	return to.Truncate(info.Size())
}

// dirtySpansMax bounds the list; beyond it the whole file is taken for changed.
const dirtySpansMax = 4096

// wrote notes that bytes of a file changed.
func (i *item) wrote(from, to int64) {
	if n := len(i.dirty); n > 0 && i.dirty[n-1].to == from {
		i.dirty[n-1].to = to
		return
	}
	if len(i.dirty) >= dirtySpansMax {
		whole := span{from, to}
		for _, s := range i.dirty {
			whole.from, whole.to = min(whole.from, s.from), max(whole.to, s.to)
		}
		i.dirty = []span{whole}
		return
	}
	i.dirty = append(i.dirty, span{from, to})
}

// forget makes of the disk what survived.
func (d *Disk) forget() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cuts++
	seen := map[*item]bool{}
	if err := d.revert(d.root, seen); err != nil {
		return err
	}
	for i := range seen {
		i.names = maps.Clone(i.saved)
	}
	d.off = false
	return nil
}

func (d *Disk) revert(i *item, seen map[*item]bool) error {
	if seen[i] {
		return nil
	}
	seen[i] = true
	if !i.dir {
		if len(i.dirty) > 0 {
			d.lost++
		}
		i.dirty = nil
		err := copyFile(d.kept(i), d.live(i))
		if errors.Is(err, os.ErrNotExist) { // its name was synced, it was not
			err = os.WriteFile(d.live(i), nil, 0o600)
		}
		if info, statErr := os.Stat(d.live(i)); statErr == nil {
			i.floor = info.Size()
		}
		return err
	}
	for name, child := range i.live {
		if i.kept[name] != child {
			d.lost++
		}
	}
	for name := range i.kept {
		if i.live[name] == nil {
			d.lost++
		}
	}
	i.live = maps.Clone(i.kept)
	for _, child := range i.live {
		if err := d.revert(child, seen); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
