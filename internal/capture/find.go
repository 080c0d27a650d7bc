package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Input is a file to capture.
type Input struct {
	Path     string
	Stream   string // id of the source stream
	Workflow string // workflow of the events that name none
	Named    bool   // the workflow was given, not made of the path
	Given    string // the path that led to it
	Bytes    int64  // size when it was found, for progress
}

// of returns the input with the session that its records tell as its workflow, unless one was given.
func (in Input) of(rec recording) Input {
	if rec.session != "" && !in.Named {
		in.Workflow = rec.session
	}
	return in
}

// Problem is what went wrong with one input, while the others went on.
type Problem struct {
	Path string
	Err  error

	given bool // nothing was taken of a path that was asked for
}

func (p Problem) Error() string { return p.Path + ": " + p.Err.Error() }

// Unwrap returns the cause.
func (p Problem) Unwrap() error { return p.Err }

// Notice reports whether nothing is lost: the file is empty or no recording, or its end is no event; and it was not the
// only one that was asked for.
func (p Problem) Notice() bool {
	if p.given {
		return false
	}
	return errors.Is(p.Err, ErrEmpty) || errors.Is(p.Err, ErrNotInput) || errors.Is(p.Err, ErrUnfinished)
}

// Find walks the paths, directories in lexical order without dot-files, and names the source stream of each file: its path
// as given, cleaned, with slashes; in a directory, from that one's last element on (sse/000.sse for the path data/sse). The
// workflow is the same without the extension. A stream or workflow that is not empty overrides these names.
//
// What cannot be read is reported as problems. The error, which wraps ErrStream, is for a stream id given for several
// files: their positions would collide.
func Find(paths []string, stream, workflow string) ([]Input, []Problem, error) {
	f := finder{stream: stream, workflow: workflow}
	for _, p := range paths {
		f.given = p
		f.path(p)
	}
	if stream != "" && len(f.inputs) > 1 {
		return nil, nil, fmt.Errorf("%w: %q for %d files; give one file, or leave the stream id out", ErrStream, stream, len(f.inputs))
	}
	return f.inputs, f.problems, nil
}

type finder struct {
	stream, workflow string
	given            string
	inputs           []Input
	problems         []Problem
}

func (f *finder) path(p string) {
	info, err := os.Stat(p)
	if err != nil {
		f.problem(p, err)
		return
	}
	if !info.IsDir() {
		f.input(p, filepath.ToSlash(filepath.Clean(p)), info.Size())
		return
	}
	base := baseName(p)
	// A trailing separator makes WalkDir enter a directory that is given as a symbolic link.
	_ = filepath.WalkDir(p+string(filepath.Separator), func(file string, entry fs.DirEntry, err error) error {
		return f.visit(p, base, file, entry, err)
	})
}

// visit takes one entry of the walk of the directory root. It never ends the walk.
func (f *finder) visit(root, base, file string, entry fs.DirEntry, err error) error {
	rel, relErr := filepath.Rel(root, file)
	switch {
	case err != nil || relErr != nil:
		f.problem(file, errors.Join(err, relErr))
		return nil
	case rel == ".":
		return nil
	case strings.HasPrefix(entry.Name(), ".") && entry.IsDir():
		return filepath.SkipDir
	case strings.HasPrefix(entry.Name(), ".") || entry.IsDir():
		return nil
	}
	info, err := os.Stat(file) // follows a symbolic link
	switch {
	case err != nil:
		f.problem(file, err)
	case !info.Mode().IsRegular():
		f.problem(file, fmt.Errorf("%w: no regular file; name it on the command line to read it anyway", ErrNotInput))
	default:
		f.input(file, path.Join(base, filepath.ToSlash(rel)), info.Size())
	}
	return nil
}

func (f *finder) input(file, name string, size int64) {
	name = unpacked(name)
	in := Input{Path: file, Stream: name, Workflow: strings.TrimSuffix(name, path.Ext(name)), Given: f.given, Bytes: size}
	if f.stream != "" {
		in.Stream = f.stream
	}
	if f.workflow != "" {
		in.Workflow, in.Named = f.workflow, true
	}
	f.inputs = append(f.inputs, in)
}

func (f *finder) problem(file string, err error) {
	f.problems = append(f.problems, Problem{Path: file, Err: err})
}

// FileToCome names the stream of a file that need not be there yet, as Find would.
func FileToCome(file, stream, workflow string) Input {
	f := finder{stream: stream, workflow: workflow, given: file}
	f.input(file, filepath.ToSlash(filepath.Clean(file)), 0)
	return f.inputs[0]
}

// baseName returns the last element of a path, also of one such as ".." that hides it.
func baseName(p string) string {
	if abs, err := filepath.Abs(p); err == nil {
		p = abs
	}
	if base := filepath.Base(p); base != string(filepath.Separator) {
		return base
	}
	return ""
}
