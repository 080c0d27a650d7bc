package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkout is an empty tree with the directory that the model goes to, as the working directory.
func checkout(t *testing.T) (static string) {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("ASSAY_CACHE", t.TempDir())
	t.Setenv("ASSAY_MODEL_DIR", "")
	static = filepath.Join("internal", "embed", "static")
	if err := os.MkdirAll(static, 0o755); err != nil {
		t.Fatal(err)
	}
	return static
}

func TestAModelThatIsNotTheTestedOneIsRefused(t *testing.T) {
	static := checkout(t)
	wheel := filepath.Join(t.TempDir(), "wordllama.whl")
	file, err := os.Create(wheel)
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(file)
	for _, f := range files {
		w, err := archive.Create(f.inWheel)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("something else")); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir() // a python3 that "downloads" that wheel
	script := "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = --dest ] && cp '" + wheel + "' \"$2/\"; shift; done\n"
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if err := run(t.Context()); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("error %v, want one about the hash", err)
	}
	if left, err := os.ReadDir(static); err != nil || len(left) > 0 {
		t.Errorf("%v was installed: %v", left, err)
	}
}

func TestAModelOfOnesOwnIsTakenAsItIs(t *testing.T) {
	static, own := checkout(t), t.TempDir()
	t.Setenv("ASSAY_MODEL_DIR", own)
	if err := run(t.Context()); err == nil {
		t.Error("an empty directory was taken for a model")
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(own, f.name), []byte(f.name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if content, err := os.ReadFile(filepath.Join(static, f.name)); err != nil || string(content) != f.name {
			t.Errorf("%s holds %q: %v", f.name, content, err)
		}
	}
}
