package state

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"assay/consumers/gold/model"
)

// Limits of the state store. Options.CacheBytes bounds its memory: memtables, of which there are two at most, are counted
// against the cache and take a quarter of it, or half where that is little. What is left holds the blocks that folding looks up.
const (
	stateMemTableShare = 8
	stateMemTableLeast = 4 << 20
	stateOpenFiles     = 512
	bloomBits          = 10 // per key: 1 % of look-ups of what is not there read a block in vain
	// What goes by id rather than by ordinal arrives in all parts of the store at once, so each compaction rewrites much of
	// it. Fewer and larger ones rewrite less.
	stateL0Files   = 8
	stateBaseBytes = 256 << 20
)

// What an event brings is written once, beside the tables of keys, and compactions of these leave it alone. Such a file is
// written anew when much of it is no longer referred to.
const (
	stateApartBytes   = 256
	stateApartDepth   = 8
	stateApartAge     = 5 * time.Minute
	stateApartGarbage = 0.3
)

// DB is the embedded ordered store that holds what Gold knows. It is read as a pebble.Reader is, and written by commit alone.
type DB struct {
	// Held while a group is committed and while marks are taken away, so that no mark which a group has just renewed is lost.
	// It guards progress and totals, and what is held (see project/held.go).
	sync.Mutex
	Progress model.Progress // as of the last commit
	Totals   model.Totals

	db       *pebble.DB
	together atomic.Bool // values are written among the keys: see Compact

	journaling sync.Mutex // commits go to the journal and to the store in the same order
	journal    Journal    // nil: the store alone keeps them
}

// Get implements pebble.Reader.
func (s *DB) Get(key []byte) (value []byte, closer io.Closer, err error) { return s.db.Get(key) }

// NewIter implements pebble.Reader.
func (s *DB) NewIter(o *pebble.IterOptions) (*pebble.Iterator, error) { return s.db.NewIter(o) }

// NewIterWithContext implements pebble.Reader.
func (s *DB) NewIterWithContext(ctx context.Context, o *pebble.IterOptions) (*pebble.Iterator, error) {
	return s.db.NewIterWithContext(ctx, o)
}

// NewBatch returns writes that are still to be gathered and committed.
func (s *DB) NewBatch() *pebble.Batch { return s.db.NewBatch() }

// NewSnapshot returns the state as of the last commit. The caller closes it.
func (s *DB) NewSnapshot() *pebble.Snapshot { return s.db.NewSnapshot() }

// Close closes the store.
func (s *DB) Close() error { return Wrap("close", s.db.Close()) }

// Open opens the store in a directory of fs, or creates it. Commits go to the journal first, if there is one.
func Open(dir string, fs vfs.FS, cacheBytes int64, journal Journal, logger *slog.Logger) (*DB, error) {
	s := &DB{journal: journal}
	opts := &pebble.Options{
		FS: fs, Logger: stateLogger{logger}, FormatMajorVersion: pebble.FormatNewest,
		CacheSize: cacheBytes, MemTableSize: uint64(max(cacheBytes/stateMemTableShare, stateMemTableLeast)), MaxOpenFiles: stateOpenFiles,
		L0CompactionThreshold: stateL0Files, LBaseMaxBytes: stateBaseBytes,
	}
	opts.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{
			Enabled: !s.together.Load(), MinimumSize: stateApartBytes, MaxBlobReferenceDepth: stateApartDepth,
			RewriteMinimumAge: stateApartAge, TargetGarbageRatio: stateApartGarbage,
		}
	}
	// Marks come and go, so tombstones lie close together in every new file. Compacting it for their sake would rewrite what
	// lies around them, only to spare the next flush skipping them; soon it is compacted anyway.
	opts.Experimental.TombstoneDenseCompactionThreshold = -1
	opts.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, Wrap("open "+dir, err)
	}
	s.db = db
	return s, nil
}

// Compact rewrites the store, so that nothing that was deleted is left in its files. Values go back among the keys, since a file of
// values stays as it is while one of them is referred to.
func (s *DB) Compact(ctx context.Context) error {
	s.together.Store(true)
	defer s.together.Store(false)
	s.Lock()
	err := s.renewTables()
	s.Unlock()
	if err != nil {
		return err
	}
	return Wrap("compact", errors.Join(s.db.Flush(), s.db.Compact(ctx, []byte{0}, []byte{0xFF}, true)))
}

// renewTables has the next compaction rewrite every table, as it does those for which there is something newer, if only their first
// record again.
func (s *DB) renewTables() error {
	levels, err := s.db.SSTables()
	if err != nil {
		return Wrap("list the tables of", err)
	}
	again := s.db.NewBatch()
	defer again.Close()
	for _, tables := range levels {
		for i := range tables {
			first := tables[i].Smallest.UserKey
			found, err := Get(s, first, func(value []byte) error { return again.Set(first, value, nil) })
			if err == nil && !found {
				err = again.Delete(first, nil)
			}
			if err != nil {
				return Wrap("read", err)
			}
		}
	}
	return commit(again, pebble.Sync)
}

// Commit makes writes take effect together. When the store can no longer write its log, it declares that fatal rather
// than return an error; commit makes an error of it, after which the store has to be opened anew.
//
// Where there is a journal, that has them first, and the store is a copy that needs no sync.
func (s *DB) Commit(writes *pebble.Batch, how *pebble.WriteOptions) error {
	if s.journal == nil {
		return commit(writes, how)
	}
	s.journaling.Lock()
	defer s.journaling.Unlock()
	seq, err := s.journal.Append(writes.Repr())
	if err != nil {
		return Wrap("journal", err)
	}
	return commitCopy(writes, seq)
}

// commitCopy commits what the journal has under a sequence.
func commitCopy(writes *pebble.Batch, seq uint64) error {
	if err := writes.Set([]byte{model.KeyJournal}, binary.AppendUvarint(nil, seq), nil); err != nil {
		return Wrap("write", err)
	}
	return commit(writes, pebble.NoSync)
}

func commit(writes *pebble.Batch, how *pebble.WriteOptions) (err error) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case fatal:
			err = Wrap("commit", cause)
		default:
			panic(cause)
		}
	}()
	return Wrap("commit", writes.Commit(how))
}

// fatal is what the store says when it cannot go on.
type fatal string

func (f fatal) Error() string { return string(f) }

// Get passes the value of a key to use, if there is one; use must not keep it.
func Get(from Getter, key []byte, use func(value []byte) error) (found bool, err error) {
	value, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, Wrap("read", err)
	}
	return true, errors.Join(use(value), Wrap("read", closer.Close()))
}

// Load decodes the record of a key, nil if there is none.
func Load[T any](from Getter, key []byte, decode func([]byte) (*T, error)) (record *T, err error) {
	_, err = Get(from, key, func(value []byte) (err error) {
		record, err = decode(value)
		return err
	})
	return record, err
}

// Scan passes every key with the prefix to use, in order, until it returns false or an error.
func Scan(from pebble.Reader, prefix []byte, use func(key, value []byte) (more bool, err error)) error {
	return ScanAfter(from, prefix, nil, use)
}

// ScanAfter is scan from after the key last on, nil for the first.
func ScanAfter(from pebble.Reader, prefix, last []byte, use func(key, value []byte) (more bool, err error)) error {
	lower := prefix
	if last != nil {
		lower = append(bytes.Clone(last), 0)
	}
	return scanBetween(from, lower, model.PrefixEnd(prefix), use)
}

// scanBetween passes every key from the first bound on and before the second, nil for the end, to use.
func scanBetween(from pebble.Reader, lower, upper []byte, use func(key, value []byte) (more bool, err error)) error {
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return Wrap("scan", err)
	}
	for ok := it.First(); ok && err == nil; ok = ok && it.Next() {
		value, valueErr := it.ValueAndErr()
		if err = valueErr; err == nil {
			ok, err = use(it.Key(), value)
		}
	}
	return errors.Join(err, Wrap("scan", it.Close()))
}

// Wrap makes a failure of the store, which wraps model.ErrState, of an error; nil of nil.
func Wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", model.ErrState, doing, err)
}

// stateLogger passes on what the state store has to say; its chatter is of no interest to an operator.
type stateLogger struct{ log *slog.Logger }

func (l stateLogger) Infof(string, ...any) {}

func (l stateLogger) Errorf(format string, args ...any) {
	l.log.Error("gold: state store: " + fmt.Sprintf(format, args...))
}

// Fatalf is called where the store cannot go on; it must not return.
func (l stateLogger) Fatalf(format string, args ...any) { panic(fatal(fmt.Sprintf(format, args...))) }

// Getter is what looks up a key: a reader of the state store, or a seeker.
type Getter interface {
	Get(key []byte) (value []byte, closer io.Closer, err error)
}

// Seeker looks up keys most of which are not there, as they were when it was first asked. A reader's own Get would read a
// block for each, because it does without the Bloom filters of the lowest level, where nearly everything lies.
type Seeker struct {
	From pebble.Reader
	it   *pebble.Iterator
}

// Get implements getter. The value is good until the next call.
func (s *Seeker) Get(key []byte) (value []byte, closer io.Closer, err error) {
	if s.it == nil {
		if s.it, err = s.From.NewIter(&pebble.IterOptions{UseL6Filters: true}); err != nil {
			return nil, nil, err
		}
	}
	if !s.it.SeekPrefixGE(key) { // a key of the state store is its own prefix
		if err := s.it.Error(); err != nil {
			return nil, nil, err
		}
		return nil, nil, pebble.ErrNotFound
	}
	value, err = s.it.ValueAndErr()
	return value, nothing{}, err
}

// Close frees what Get has opened. What went wrong, Get has told.
func (s *Seeker) Close() {
	if s.it != nil {
		_ = s.it.Close()
	}
}

// nothing closes nothing.
type nothing struct{}

func (nothing) Close() error { return nil }
