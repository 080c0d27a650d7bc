package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"assay/internal/test/chaos/lossy"
)

// onDisk puts the program's data on a disk of the harness's own while it runs.
type onDisk struct {
	calm
	disk *lossy.Disk
}

// mount makes the disk. Strict: as POSIX promises and no more; see package lossy.
func (o *onDisk) mount(r *Run, strict bool) (err error) {
	if o.disk, err = lossy.New(filepath.Join(r.Dir, "disk"), strict); err != nil {
		return err
	}
	at := filepath.Join(r.Dir, "mounted")
	if err := o.disk.Mount(at); errors.Is(err, lossy.ErrMount) {
		return fmt.Errorf("%w: %w", ErrSkip, err)
	} else if err != nil {
		return err
	}
	r.Cleanup(o.disk.Unmount)
	r.Program.Data = filepath.Join(at, "data")
	return nil
}

// Heal makes the disk work again.
func (o *onDisk) Heal(context.Context, *Run) error {
	o.disk.Fail(nil)
	o.disk.Slow(0)
	return nil
}

// Aftermath moves what the program left to an ordinary directory, so that the oracle reads no file of the harness's own.
func (o *onDisk) Aftermath(_ context.Context, r *Run) error {
	plain := filepath.Join(r.Dir, "exported")
	r.Program.Data = filepath.Join(plain, "data")
	return o.disk.Export(plain)
}

// power cuts the power: the process is gone, and so is all that was not synced.
type power struct {
	onDisk
	strict bool
}

func (p *power) Prepare(_ context.Context, r *Run) error { return p.mount(r, p.strict) }

func (p *power) Strike(ctx context.Context, r *Run) error {
	wait(ctx, time.Duration(r.Rng.Int64N(int64(killDelayMax))))
	p.disk.Off()
	if err := r.Program.Down(ctx, syscall.SIGKILL); err != nil {
		return err
	}
	if err := p.disk.On(); err != nil {
		return err
	}
	r.Note("%d files and names lost", p.disk.Lost())
	return r.Program.Up(ctx)
}

// brokenDisk fails a share of all operations for a while.
type brokenDisk struct{ onDisk }

func (b *brokenDisk) Prepare(_ context.Context, r *Run) error { return b.mount(r, false) }

func (b *brokenDisk) Strike(ctx context.Context, r *Run) error {
	errno := []syscall.Errno{syscall.EIO, syscall.ENOSPC}[r.Rng.IntN(2)]
	kind := []lossy.Op{lossy.OpRead, lossy.OpWrite, lossy.OpSync, lossy.OpName}[r.Rng.IntN(4)]
	if errno == syscall.ENOSPC {
		kind = lossy.OpWrite
	}
	oneIn := 1 + r.Rng.IntN(20)
	rng := rand.New(rand.NewPCG(r.Rng.Uint64(), 4))
	r.Note("1 in %d operations %d: %v", oneIn, kind, errno)
	b.disk.Fail(func(op lossy.Op) syscall.Errno {
		if op == kind && rng.IntN(oneIn) == 0 {
			return errno
		}
		return 0
	})
	wait(ctx, time.Second+time.Duration(r.Rng.Int64N(int64(2*time.Second))))
	b.disk.Fail(nil)
	return nil
}

// storm delivers again what is still under way: the log waits less for an acknowledgement than a commit takes.
type storm struct{ onDisk }

func (s *storm) Prepare(_ context.Context, r *Run) error {
	r.Program.Args = append(r.Program.Args, "--log-ack-wait", "1s")
	return s.mount(r, false)
}

func (s *storm) Strike(ctx context.Context, r *Run) error {
	s.disk.Slow(time.Duration(200+r.Rng.IntN(1200)) * time.Millisecond)
	wait(ctx, 4*time.Second)
	s.disk.Slow(0)
	return nil
}

// full fills a small file system, and frees it again.
type full struct{ calm }

// smallDisk is the size of that file system.
const smallDisk = "64m"

func (full) Prepare(_ context.Context, r *Run) error {
	at := filepath.Join(r.Dir, "small")
	if err := os.Mkdir(at, 0o700); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", at, "tmpfs", 0, "size="+smallDisk); err != nil {
		return fmt.Errorf("%w: mount a small file system: %w", ErrSkip, err)
	}
	r.Cleanup(func() error { return syscall.Unmount(at, 0) })
	r.Program.Data = filepath.Join(at, "data")
	return nil
}

func (full) Strike(ctx context.Context, r *Run) error {
	ballast := filepath.Join(r.Dir, "small", "ballast")
	if err := fill(ballast); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("torture: the disk does not get full: %w", err)
	}
	wait(ctx, time.Second+time.Duration(r.Rng.Int64N(int64(2*time.Second))))
	return os.Remove(ballast)
}

// fill writes until there is no room.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	part := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(part)
	}
	return errors.Join(err, f.Close())
}
