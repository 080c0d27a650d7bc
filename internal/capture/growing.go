package capture

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// growthPoll is how often a followed file is looked at.
const growthPoll = 100 * time.Millisecond

// growing is a file whose Read waits at its end for more, until the context ends.
type growing struct {
	*os.File
	ctx    context.Context
	offset int64
}

func openGrowing(ctx context.Context, path string) (*growing, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &growing{File: file, ctx: ctx}, nil
}

// Read waits for bytes. It polls, for notifications miss what other machines write to a shared disk.
func (g *growing) Read(p []byte) (int, error) {
	for {
		n, err := g.File.Read(p)
		g.offset += int64(n)
		if n > 0 || err != io.EOF {
			return n, ignoreEOF(err)
		}
		if err := g.sameFile(); err != nil {
			return 0, err
		}
		select {
		case <-g.ctx.Done():
			return 0, context.Cause(g.ctx)
		case <-time.After(growthPoll):
		}
	}
}

// sameFile reports whether the path still names this file, and that this still has what was read of it.
func (g *growing) sameFile() error {
	now, err := os.Stat(g.Name())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrReplaced, err)
	}
	then, err := g.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(now, then) || then.Size() < g.offset {
		return fmt.Errorf("%w: what it held was captured; follow it again, with another --stream for the new content", ErrReplaced)
	}
	return nil
}
