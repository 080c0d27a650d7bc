package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// install makes the go command link archive into the package in the folder home: a link where the linker flags look, and a header with the hash of the archive.
// The go command does not notice a changed archive but does notice a changed header, so it links anew exactly when it must.
// The header is written last: where it is, the library is.
func install(archive, home string) error {
	link := filepath.Join(home, "native", "lib", archiveName)
	header := filepath.Join(home, "stamp.h")
	if installed(archive, link, header) {
		return nil
	}
	stamp, err := fileHash(archive)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	for _, old := range []string{header, link} {
		if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := os.Symlink(archive, link); err != nil {
		return err
	}
	return os.WriteFile(header, []byte(headerText(stamp)), 0o644)
}

// installed reports whether the link leads to archive and the header is not older than it.
func installed(archive, link, header string) bool {
	target, err := os.Readlink(link)
	if err != nil || target != archive {
		return false
	}
	library, err := os.Stat(archive)
	if err != nil {
		return false
	}
	stamp, err := os.Stat(header)
	return err == nil && !stamp.ModTime().Before(library.ModTime())
}

func headerText(stamp string) string {
	return fmt.Sprintf("// Written by native/build; not under version control.\n#define ASSAY_NATIVE_STAMP %q\n", stamp)
}

func fileHash(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
