// Command build makes sure that the native library is there for the go command to link: it builds it with cargo, or takes
// it from the cache, or from where ASSAY_NATIVE_LIB says.
//
//	Cargo.toml, Cargo.lock, src/ ──► key ──► in the cache? ──no──► cargo build ──► cache/native/KEY/libassay_native.a
//	rustc -vV ────────────────────────┘          │yes                                     │
//	                                             └──────────────┬─────────────────────────┘
//	                                                            ▼
//	               sovereign/native/lib/libassay_native.a (a link), sovereign/stamp.h (its hash)
//
// The cache is outside the clone, in ASSAY_CACHE or the user's cache folder, so that every clone on a machine shares it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// archiveName is what the linker flag -lassay_native finds.
const archiveName = "libassay_native.a"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "native library:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	home, err := packageDir()
	if err != nil {
		return err
	}
	archive, err := findOrBuild(ctx, filepath.Join(home, "native"))
	if err != nil {
		return err
	}
	return install(archive, home)
}

// findOrBuild returns the path of a library that fits the sources.
func findOrBuild(ctx context.Context, sources string) (string, error) {
	if prebuilt := os.Getenv("ASSAY_NATIVE_LIB"); prebuilt != "" {
		path, err := filepath.Abs(prebuilt)
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			return "", fmt.Errorf("ASSAY_NATIVE_LIB: %w", err)
		}
		return path, nil
	}
	tools, err := findTools(ctx)
	if err != nil {
		return "", err
	}
	key, err := buildKey(sources, tools.toolchain)
	if err != nil {
		return "", err
	}
	cache, err := openCache()
	if err != nil {
		return "", err
	}
	if path, ok := cache.find(key); ok {
		return path, nil
	}
	unlock, err := cache.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if path, ok := cache.find(key); ok { // another build was first
		return path, nil
	}
	built, err := tools.build(ctx, sources, cache.targetDir(), key)
	if err != nil {
		return "", err
	}
	return cache.add(key, built)
}

// packageDir returns the folder of the Go package that links the library, in the clone that the working directory is in.
func packageDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		switch _, err := os.Stat(filepath.Join(dir, "go.mod")); {
		case err == nil:
			return filepath.Join(dir, "sovereign"), nil
		case !errors.Is(err, fs.ErrNotExist):
			return "", err
		case dir == filepath.Dir(dir):
			return "", errors.New("run this inside the repository: there is no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}
