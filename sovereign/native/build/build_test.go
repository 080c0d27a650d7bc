package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestKeyChangesWithEverythingThatCounts(t *testing.T) {
	const toolchain = "rustc 1.95.0"
	seen := map[string]string{}
	check := func(what, key string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s have the same key", what, other)
		}
		seen[key] = what
	}
	dir := t.TempDir()
	files := []string{"Cargo.toml", "Cargo.lock", "src/lib.rs", "src/part/mod.rs"}
	for _, name := range files {
		write(t, dir, name, "1")
	}
	key, err := buildKey(dir, toolchain)
	check("the first", key, err)
	for _, name := range files {
		write(t, dir, name, "2")
		key, err := buildKey(dir, toolchain)
		check(name, key, err)
	}
	write(t, dir, "src/new.rs", "")
	key, err = buildKey(dir, toolchain)
	check("a new file", key, err)
	key, err = buildKey(dir, "rustc 1.96.0")
	check("another toolchain", key, err)
	t.Setenv("RUSTFLAGS", "-C target-cpu=native")
	key, err = buildKey(dir, toolchain)
	check("RUSTFLAGS", key, err)
}

func TestKeyIgnoresTheRest(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "src/lib.rs", "1")
	before, err := buildKey(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "assay_native.h", "build/main.go", "lib/libassay_native.a", "target/x.rs"} {
		write(t, dir, name, "1")
	}
	if after, err := buildKey(dir, ""); after != before || err != nil {
		t.Errorf("the key changed from %s to %s, error %v", before, after, err)
	}
}

func TestInstall(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "one/"+archiveName, "one")
	write(t, dir, "other/"+archiveName, "other")
	home := filepath.Join(dir, "home")
	stamps := map[string]bool{}
	for _, library := range []string{"one", "other", "other"} {
		if err := install(filepath.Join(dir, library, archiveName), home); err != nil {
			t.Fatal(err)
		}
		linked, err := os.ReadFile(filepath.Join(home, "native", "lib", archiveName))
		if err != nil || string(linked) != library {
			t.Errorf("linked %q, error %v; want %q", linked, err, library)
		}
		header, err := os.ReadFile(filepath.Join(home, "stamp.h"))
		if err != nil {
			t.Fatal(err)
		}
		stamps[string(header)] = true
	}
	if len(stamps) != 2 {
		t.Errorf("%d stamps for 2 libraries", len(stamps))
	}
}

func TestCacheKeepsTheNewest(t *testing.T) {
	c := cache{t.TempDir()}
	write(t, c.dir, "built.a", "library")
	for age, key := range []string{"new", "older", "old", "oldest", "ancient"} {
		path, err := c.add(key, filepath.Join(c.dir, "built.a"))
		if err != nil {
			t.Fatal(err)
		}
		used := time.Now().Add(-time.Duration(age+1) * time.Hour)
		if err := os.Chtimes(filepath.Dir(path), used, used); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.add("newest", filepath.Join(c.dir, "built.a")); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"newest": true, "new": true, "older": true, "old": false, "ancient": false} {
		if _, ok := c.find(key); ok != want {
			t.Errorf("%s is in the cache: %t, want %t", key, ok, want)
		}
	}
}

func TestOnlyOneBuildAtATime(t *testing.T) {
	c := cache{t.TempDir()}
	unlock, err := c.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if unlock, err = c.lock(t.Context()); err != nil {
		t.Fatalf("locking again: %v", err)
	}
	unlock()
}

func TestUnits(t *testing.T) {
	const (
		id     = `"package_id":"registry+https://github.com/rust-lang/crates.io-index#zstd-sys@2.1.3+zstd.1.5.7"`
		own    = `"package_id":"path+file:///src/sovereign/native/assay-native#0.1.0"`
		script = `{"reason":"compiler-artifact",` + id + `,"target":{"kind":["custom-build"]},"fresh":`
	)
	for _, c := range []struct {
		messages []string
		unit     string
		fresh    bool
	}{
		{[]string{`{"reason":"compiler-artifact",` + id + `,"target":{"kind":["lib"]},"fresh":true}`}, "zstd-sys", true},
		{[]string{`{"reason":"compiler-artifact",` + own + `,"target":{"kind":["staticlib"]},"fresh":false}`}, "assay-native", false},
		{[]string{script + "false}"}, "zstd-sys build", false},
		{[]string{script + "false}", `{"reason":"build-script-executed",` + id + `}`}, "zstd-sys run", false},
		{[]string{script + "true}", `{"reason":"build-script-executed",` + id + `}`}, "zstd-sys run", true},
		{[]string{`{"reason":"build-finished","success":true}`}, "", false},
		{[]string{`not JSON`}, "", false},
	} {
		var (
			u     units
			unit  string
			fresh bool
		)
		for _, message := range c.messages {
			unit, fresh, _ = u.finished([]byte(message))
		}
		if unit != c.unit || fresh != c.fresh {
			t.Errorf("%s: got %q, fresh %t; want %q, fresh %t", c.messages, unit, fresh, c.unit, c.fresh)
		}
	}
}

func TestProgress(t *testing.T) {
	const table = "big\t60\t1\nmiddle\t20\t1\n*\t20\t10\n"
	p, err := newProgress(table)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(when string, want float64) {
		t.Helper()
		if got := p.share(); got < want-0.001 || got > want+0.001 {
			t.Errorf("%s: %.3f done, want %.3f", when, got, want)
		}
	}
	expect("at first", 0)
	for range 5 {
		p.finished("small", false)
	}
	expect("after half of the small ones", 0.1)
	p.finished("middle", true)
	expect("when a middle one need not be built", 0.125)
	before := p.left(10 * time.Second)
	p.finished("big", false)
	if after := p.left(20 * time.Second); after >= before {
		t.Errorf("%s are left after the big one, %s before", after, before)
	}
	for range 20 {
		p.finished("unexpected", false)
	}
	expect("when there were more than thought", 1)
	if left := p.left(time.Minute); left != 0 {
		t.Errorf("%s are left at the end", left)
	}
}

// Nothing left to build is no work, and no division by zero.
func TestProgressOfNothing(t *testing.T) {
	p, err := newProgress("one\t5\t1\n")
	if err != nil {
		t.Fatal(err)
	}
	p.finished("one", true)
	if p.share() != 0 || p.left(time.Second) != 0 {
		t.Errorf("%f done, %s left", p.share(), p.left(time.Second))
	}
}

func TestWeightsTable(t *testing.T) {
	p, err := newProgress(weightsTable)
	if err != nil {
		t.Fatal(err)
	}
	if p.weights["lance"] == 0 || p.others == 0 {
		t.Errorf("lance weighs %f, others %f", p.weights["lance"], p.others)
	}
}

func TestPrebuiltLibraryMustExist(t *testing.T) {
	t.Setenv("ASSAY_NATIVE_LIB", filepath.Join(t.TempDir(), "missing.a"))
	if _, err := findOrBuild(t.Context(), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
