package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// messageBytesMax limits one line of cargo's messages; those with rendered errors are the longest.
const messageBytesMax = 4 << 20

// stopTime is how long cargo may take to stop after it was asked to.
const stopTime = 10 * time.Second

// tools are the programs that a build needs.
type tools struct {
	cargo     string
	toolchain string // what `rustc -vV` says: version, commit, host
}

func findTools(ctx context.Context) (tools, error) {
	cargo, err := find("cargo", "install Rust 1.94 or later, for example from https://rustup.rs")
	if err != nil {
		return tools{}, err
	}
	rustc, err := find("rustc", "install Rust 1.94 or later, for example from https://rustup.rs")
	if err != nil {
		return tools{}, err
	}
	if _, err := find("cc", "install a C compiler; on Debian and Ubuntu: apt install build-essential"); err != nil {
		return tools{}, err
	}
	toolchain, err := exec.CommandContext(ctx, rustc, "-vV").Output()
	if err != nil {
		return tools{}, fmt.Errorf("rustc -vV: %w", err)
	}
	return tools{cargo, string(toolchain)}, nil
}

func find(program, remedy string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s is not installed: %s (or set ASSAY_NATIVE_LIB to a prebuilt %s)",
			program, remedy, archiveName)
	}
	return path, nil
}

// build runs cargo on the crate and returns the path of the library. It reports progress on standard error.
//
// Cargo takes our crate in two clones for the same one, and what it compiled last for fresh if no source file is younger. So
// it is told the key, which makes crates of different sources different.
func (t tools) build(ctx context.Context, sources, targetDir, key string) (string, error) {
	fmt.Fprintln(os.Stderr, "native library: building; the first time this takes twenty to thirty minutes on 2 cores")
	protoc, err := t.protoc(ctx, sources, targetDir)
	if err != nil {
		return "", err
	}
	command := t.command(ctx, sources, targetDir,
		"rustc", "--release", "--locked", "--quiet", "--package", "assay-native", "--message-format", "json-render-diagnostics",
		"--", "--cfg", fmt.Sprintf("sources=%q", key))
	command.Env = append(command.Env, "PROTOC="+protoc)
	command.Stderr = os.Stderr // --quiet leaves only warnings and errors
	messages, err := command.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := command.Start(); err != nil {
		return "", err
	}
	meter := startMeter(os.Stderr)
	scanner := bufio.NewScanner(messages)
	scanner.Buffer(nil, messageBytesMax)
	var units units
	for scanner.Scan() {
		if unit, fresh, ok := units.finished(scanner.Bytes()); ok {
			meter.finished(unit, fresh)
		}
	}
	err = errors.Join(scanner.Err(), command.Wait())
	meter.stop()
	if err != nil {
		return "", fmt.Errorf("cargo rustc: %w; its messages are above", err)
	}
	return filepath.Join(targetDir, "release", archiveName), nil
}

// protoc returns the protocol buffer compiler that the lance crates need: the environment's, or the one that a crate of
// this workspace carries.
func (t tools) protoc(ctx context.Context, sources, targetDir string) (string, error) {
	if protoc := os.Getenv("PROTOC"); protoc != "" {
		return protoc, nil
	}
	command := t.command(ctx, sources, targetDir, "run", "--release", "--locked", "--quiet", "--package", "protoc-path")
	var messages bytes.Buffer
	command.Stderr = &messages
	path, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("find protoc: %w\n%s", err, messages.String())
	}
	return strings.TrimSpace(string(path)), nil
}

func (t tools) command(ctx context.Context, sources, targetDir string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, t.cargo, args...)
	command.Dir = sources
	command.Env = append(os.Environ(), "CARGO_TARGET_DIR="+targetDir)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
	command.WaitDelay = stopTime
	return command
}
