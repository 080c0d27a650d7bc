package capture

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// growthPoll is how often a followed file is looked at.
const growthPoll = 100 * time.Millisecond

// growing is a file whose Read waits at its end for more: until the context ends, or, with io.EOF, until another file has
// its name or it has become shorter.
type growing struct {
	*os.File
	ctx      context.Context
	offset   int64
	replaced bool // what is left to be read of it is read once more, and then it ends
}

// openGrowing opens the file, waiting for it if it was there before.
func openGrowing(ctx context.Context, path string, before bool) (*growing, error) {
	for {
		file, err := os.Open(path)
		if err == nil {
			return &growing{File: file, ctx: ctx}, nil
		}
		if !before || !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if err := wait(ctx, growthPoll); err != nil {
			return nil, err
		}
	}
}

// Read waits for bytes. It polls, for notifications miss what other machines write to a shared disk.
func (g *growing) Read(p []byte) (int, error) {
	for {
		n, err := g.File.Read(p)
		g.offset += int64(n)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, ignoreEOF(err)
		}
		if g.replaced {
			return 0, io.EOF
		}
		if g.replaced, err = g.isReplaced(); err != nil {
			return 0, err
		}
		if err := wait(g.ctx, growthPoll); err != nil { // also for a writer who has the old file open still
			return 0, err
		}
	}
}

// isReplaced reports whether the path names another file, or this no longer has what was read of it. A file that was only
// moved away may go on growing until another one takes its place.
func (g *growing) isReplaced() (bool, error) {
	now, err := os.Stat(g.Name())
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	then, err := g.Stat()
	return err == nil && (!os.SameFile(now, then) || then.Size() < g.offset), err
}

// wait returns after d, or with the cause when ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
