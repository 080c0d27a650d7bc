package chaos

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// rot damages files of one sort while the program is stopped. Then either the program recovers by itself, or it says that
// something is wrong, and the documented way back works. What it must not do is to go on with other rows in silence.
type rot struct {
	calm
	files *regexp.Regexp // of the data directory, by path
	log   bool           // of the log, whose way back is a mirror; the rest can be made anew from it
}

// rotRest is within which the program comes to rest on damaged data, if it can.
const rotRest = 5 * time.Second

// What each sort of file is.
var (
	logBlocks      = regexp.MustCompile(`^log/.*/streams/BRONZE/msgs/\d+\.blk$`)
	logIndex       = regexp.MustCompile(`^log/.*/streams/[A-Z_a-z]+/msgs/index\.db$`)
	logBuffers     = regexp.MustCompile(`^log/.*/streams/(SILVER|PROMOTION|DEAD|KV_[a-z]+)/msgs/\d+\.blk$`)
	consumerStates = regexp.MustCompile(`^log/.*/obs/[a-z]+/o\.dat$|^log/.*/meta\.(inf|sum)$`)
	stateStore     = regexp.MustCompile(`^state/(\d+\.(log|sst)|MANIFEST-\d+|OPTIONS-\d+|marker\..*)$`)
	tableManifests = regexp.MustCompile(`^sovereign/.*/_versions/.*\.manifest$`)
	tableData      = regexp.MustCompile(`^sovereign/.*/data/.*\.lance$`)
)

// Aftermath damages one file after another, each alone, on a copy of the same data directory.
func (f *rot) Aftermath(ctx context.Context, r *Run) error {
	whole := r.Program.Data
	names, err := f.find(whole)
	if err != nil {
		return err
	}
	for range r.harness.Damages {
		name := names[r.Rng.IntN(len(names))]
		r.Program.Data = filepath.Join(r.Dir, "damaged")
		if err := copyTree(ctx, whole, r.Program.Data); err != nil {
			return err
		}
		what, err := damage(filepath.Join(r.Program.Data, name), r.Rng)
		if err != nil {
			return err
		}
		if err := f.follow(ctx, r, whole, name+": "+what); err != nil {
			return err
		}
		if len(r.result.Findings) > 0 {
			return nil // it stays for whoever looks into it
		}
		if err := os.RemoveAll(r.Program.Data); err != nil {
			return err
		}
	}
	r.Program.Data = whole
	return nil
}

// follow starts the program on damaged data and goes the way back if it says that something is wrong.
func (f *rot) follow(ctx context.Context, r *Run, whole, what string) error {
	said, err := f.restart(ctx, r)
	if err != nil {
		return err
	}
	found, err := r.judge(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		r.Note("%s: recovered", what)
		return nil
	}
	if !told(what, said, found) {
		r.Find("%s: in silence: %s\nit said: %s", what, strings.Join(found, "\n"), said)
		return nil
	}
	return f.back(ctx, r, whole, what, append(found, "it said: "+said))
}

// goneBlock is damage that must show at the start, because the numbers of the messages tell of it.
var goneBlock = regexp.MustCompile(`/streams/(BRONZE|DEAD)/msgs/\d+\.blk: removed$`)

// told reports whether the program said that something is wrong: when it started, or to whoever has it audited.
func told(what, said string, found []string) bool {
	if strings.Contains(said, "level=ERROR") || strings.HasPrefix(said, errEnded.Error()) {
		return true
	}
	return !goneBlock.MatchString(what) && slices.ContainsFunc(found, func(s string) bool {
		return strings.HasPrefix(s, auditFails) || strings.HasPrefix(s, chainBroken)
	})
}

// restart starts and stops the program, and returns what it said, if it started or not.
func (f *rot) restart(ctx context.Context, r *Run) (said string, err error) {
	before := len(r.Program.Said())
	if err := r.Program.Up(ctx); err != nil {
		return err.Error(), ctx.Err()
	}
	restErr := r.rest(ctx, rotRest)
	err = r.Program.Down(ctx, syscall.SIGTERM)
	said = r.Program.Said()
	said = said[min(before, len(said)):]
	if restErr != nil {
		said += restErr.Error()
	}
	return said, err
}

// back takes the ways that are documented: a rebuild; for the log its mirror, and a rebuild.
func (f *rot) back(ctx context.Context, r *Run, whole, what string, wrong []string) error {
	data := r.Program.Data
	ways := []struct {
		name string
		do   func() error
	}{
		{"rebuild", func() error { return nil }},
		{"log from a mirror, rebuild", func() error {
			if err := os.RemoveAll(filepath.Join(data, "log")); err != nil {
				return err
			}
			return copyTree(ctx, filepath.Join(whole, "log"), filepath.Join(data, "log"))
		}},
	}
	if !f.log {
		ways = ways[:1]
	}
	for _, way := range ways {
		if err := way.do(); err != nil {
			return err
		}
		_, said, status, err := r.Program.Run(ctx, append([]string{"rebuild", "--data", data}, r.Settings...)...)
		if err != nil {
			return err
		}
		found, err := r.judge(ctx)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			r.Note("%s: told (%s); way back: %s", what, firstLine(wrong[0]), way.name)
			return nil
		}
		wrong = append(append(wrong, fmt.Sprintf("after %s, status %d: %s", way.name, status, lastLines(said))), found...)
	}
	r.Find("%s: no way back: %s", what, strings.Join(wrong, "\n"))
	return nil
}

// find lists the files of the sort, sorted.
func (f *rot) find(data string) (names []string, err error) {
	err = filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(data, path)
		info, infoErr := entry.Info()
		if err == nil && infoErr == nil && info.Size() > 0 && f.files.MatchString(name) {
			names = append(names, name)
		}
		return err
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("torture: no file matches %v", f.files)
	}
	return names, err
}

// damage flips bits of a file, cuts its end off, overwrites a part with zeros, or removes it.
func damage(path string, rng *rand.Rand) (what string, err error) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	switch rng.IntN(8) {
	case 0:
		return "removed", os.Remove(path)
	case 1, 2:
		keep := rng.IntN(len(bytes))
		return fmt.Sprintf("cut to %d of %d bytes", keep, len(bytes)), os.Truncate(path, int64(keep))
	case 3:
		from := rng.IntN(len(bytes))
		to := min(len(bytes), from+512)
		clear(bytes[from:to])
		what = fmt.Sprintf("zeros from %d to %d", from, to)
	default:
		at, bit := rng.IntN(len(bytes)), rng.IntN(8)
		bytes[at] ^= 1 << bit
		what = fmt.Sprintf("bit %d of byte %d flipped", bit, at)
	}
	return what, os.WriteFile(path, bytes, 0o600)
}

func copyTree(ctx context.Context, from, to string) error {
	if out, err := exec.CommandContext(ctx, "cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("torture: copy %s: %w: %s", from, err, out)
	}
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return brief(line)
}
