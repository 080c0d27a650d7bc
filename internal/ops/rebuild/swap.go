package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"assay/sovereign/schema"
)

// What the data directory holds while something is rebuilt.
const (
	workDir      = "rebuild"
	newDir       = "new"      // what is being built
	oldDir       = "old"      // what it replaces, until the swap is done
	stampFile    = "stamp"    // who began it
	completeFile = "complete" // nothing is missing: swap
)

// prepare makes the directory for what is built, and empties it unless it was begun by the same program.
func prepare(data, stamp string) error {
	work := filepath.Join(data, workDir)
	begun, err := os.ReadFile(filepath.Join(work, stampFile))
	if err == nil && bytes.Equal(begun, []byte(stamp)) {
		return nil
	}
	if err := os.RemoveAll(work); err != nil {
		return filesError(err)
	}
	if err := os.MkdirAll(filepath.Join(work, newDir), 0o700); err != nil {
		return filesError(err)
	}
	return WriteDurably(filepath.Join(work, stampFile), []byte(stamp))
}

// complete makes it certain that Swap will take place.
func complete(data string) error {
	for _, dir := range []string{filepath.Join(data, workDir, newDir), filepath.Join(data, workDir)} {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return WriteDurably(filepath.Join(data, workDir, completeFile), nil)
}

// Targets say where the tables belong that a Build has made; the zero value is the data directory.
type Targets struct {
	Store   string                  // a folder, or the URL of an object store; "": StoreDir in the data directory
	Replace func(from string) error // puts tables in the place of those at a URL; may be called again if interrupted
}

func (t Targets) remote() bool { return schema.IsURL(t.Store) }

// Swap puts what a Build has completed in the place of the old. If none has, it does nothing; if an earlier Swap was
// interrupted, it finishes it. It must be called before what is in the data directory is opened.
func Swap(data string, targets Targets) error {
	work := filepath.Join(data, workDir)
	_, err := os.Stat(filepath.Join(work, completeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return filesError(err)
	}
	if err := os.MkdirAll(filepath.Join(work, oldDir), 0o700); err != nil {
		return filesError(err)
	}
	if targets.remote() {
		// The old tables are written over: until that is done, the marker has it begun again.
		if err := targets.Replace(filepath.Join(work, newDir, StoreDir)); err != nil {
			return err
		}
	} else if err := moveTables(data, targets.Store); err != nil {
		return err
	}
	if err := swap(data, StateDir, filepath.Join(data, StateDir)); err != nil {
		return err
	}
	return remove(work)
}

// moveTables puts the tables in their folder. That of the data directory is exchanged as a whole; another one may be on another disk,
// or the root of one, and what else lies there stays.
func moveTables(data, store string) error {
	if inside := filepath.Join(data, StoreDir); store == "" || store == inside {
		return swap(data, StoreDir, inside)
	}
	from := filepath.Join(data, workDir, newDir, StoreDir)
	tables, err := os.ReadDir(from)
	if err == nil {
		err = os.MkdirAll(store, 0o700)
	}
	if err != nil {
		return filesError(err)
	}
	for _, table := range tables {
		if err := moveTable(filepath.Join(from, table.Name()), filepath.Join(store, table.Name())); err != nil {
			return filesError(err)
		}
	}
	return syncDir(store)
}

// moveTable puts one table in the place of another. If it is interrupted it may be begun again.
func moveTable(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	err := os.Rename(from, to)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	return copyDir(from, to)
}

// copyDir copies a folder, and returns when it is on disk.
func copyDir(from, to string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncDir(path)
	})
}

// Discard gives up a Build that was interrupted, so that the next one begins anew.
func Discard(data string) error { return filesError(os.RemoveAll(filepath.Join(data, workDir))) }

// swap moves one directory in. If the new one is gone from where it was built, that was done already.
func swap(data, name, to string) error {
	from := filepath.Join(data, workDir, newDir, name)
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := os.Rename(to, filepath.Join(data, workDir, oldDir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return filesError(err)
	}
	if err := os.Rename(from, to); err != nil {
		return filesError(err)
	}
	return syncDir(filepath.Dir(to))
}

// remove removes the marker first: without it the rest is no more than an abandoned attempt.
func remove(work string) error {
	if err := os.Remove(filepath.Join(work, completeFile)); err != nil {
		return filesError(err)
	}
	// The stamp goes too, lest the emptied directory be taken for a Build to go on with.
	if err := os.Remove(filepath.Join(work, stampFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return filesError(err)
	}
	if err := syncDir(work); err != nil {
		return err
	}
	return filesError(os.RemoveAll(work))
}

// WriteDurably writes a small file, and returns when it and its name are on disk. Whatever happens meanwhile, the file has the old
// content or the new one. Errors wrap ErrFiles.
func WriteDurably(name string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.new")
	if err != nil {
		return filesError(err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return filesError(errors.Join(err, os.Remove(file.Name())))
	}
	return syncDir(filepath.Dir(name))
}

// syncDir makes what was created, renamed and removed in a directory durable, or what a file holds.
func syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return filesError(err)
	}
	return filesError(errors.Join(file.Sync(), file.Close()))
}

func filesError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrFiles, err)
}
