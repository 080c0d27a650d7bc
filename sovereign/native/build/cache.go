package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// librariesMax is how many libraries the cache keeps, of about 0.7 GB each.
const librariesMax = 3

// lockRetry is the pause between attempts to get the lock.
const lockRetry = 500 * time.Millisecond

// cache is a folder of built libraries, KEY/libassay_native.a, and of cargo's intermediate files.
type cache struct{ dir string }

func openCache() (cache, error) {
	root := os.Getenv("ASSAY_CACHE")
	if root == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return cache{}, fmt.Errorf("%w; set ASSAY_CACHE to a folder for the native library", err)
		}
		root = filepath.Join(user, "assay")
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return cache{}, err
	}
	c := cache{filepath.Join(root, "native")}
	return c, os.MkdirAll(c.dir, 0o755)
}

// targetDir is where cargo keeps what it compiled, so that a changed source file costs only our own crate.
func (c cache) targetDir() string { return filepath.Join(c.dir, "target") }

// find returns the library of that key, if there is one, and marks it as used.
func (c cache) find(key string) (string, bool) {
	path := filepath.Join(c.dir, key, archiveName)
	if _, err := os.Stat(path); err != nil {
		return "", false
	}
	now := time.Now()
	_ = os.Chtimes(filepath.Dir(path), now, now) // only decides which library goes first when there are too many
	return path, true
}

// add stores a built library under its key and drops the one that was not used for longest, if there are too many.
func (c cache) add(key, built string) (string, error) {
	path := filepath.Join(c.dir, key, archiveName)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	if err := linkOrCopy(built, path); err != nil {
		return "", err
	}
	return path, c.prune(key)
}

// lock waits until no other build runs and returns how to let the next one begin.
func (c cache) lock(ctx context.Context) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(c.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for waiting := false; ; waiting = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
		}
		if !waiting {
			fmt.Fprintln(os.Stderr, "native library: waiting for another build")
		}
		select {
		case <-time.After(lockRetry):
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), file.Close())
		}
	}
}

func (c cache) prune(keep string) error {
	libraries, err := filepath.Glob(filepath.Join(c.dir, "*", archiveName))
	if err != nil {
		return err
	}
	used := func(library string) time.Time {
		info, err := os.Stat(filepath.Dir(library))
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	slices.SortFunc(libraries, func(a, b string) int { return used(b).Compare(used(a)) })
	for _, library := range libraries[min(librariesMax, len(libraries)):] {
		if dir := filepath.Dir(library); filepath.Base(dir) != keep {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// linkOrCopy puts a file in a second place, complete or not at all; it takes no space where both are in one file system.
func linkOrCopy(from, to string) error {
	temporary := to + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if os.Link(from, temporary) != nil {
		if err := copyFile(from, temporary); err != nil {
			return err
		}
	}
	return os.Rename(temporary, to)
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
