package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// keyDigits is the length of a key: enough that two never meet, short enough to read.
const keyDigits = 16

// buildKey identifies a build: it changes with everything that decides what the library contains. These are the manifest
// with its profile, the lock file, the sources, the toolchain with its target, and flags in the environment.
func buildKey(sources, toolchain string) (string, error) {
	sum := sha256.New()
	addToKey(sum, "toolchain", []byte(toolchain))
	addToKey(sum, "RUSTFLAGS", []byte(os.Getenv("RUSTFLAGS")))
	err := filepath.WalkDir(sources, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(sources, path)
		if err != nil || entry.IsDir() || !isSource(filepath.ToSlash(name)) {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		addToKey(sum, filepath.ToSlash(name), content)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read the sources: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:keyDigits], nil
}

func isSource(name string) bool {
	return name == "Cargo.toml" || name == "Cargo.lock" || strings.HasPrefix(name, "src/") && strings.HasSuffix(name, ".rs")
}

// addToKey adds a named part with its length, so that no two lists of parts give the same bytes.
func addToKey(sum hash.Hash, name string, content []byte) {
	fmt.Fprintf(sum, "%s %d\n", name, len(content))
	sum.Write(content)
}
