package gold

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
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

// state is the embedded ordered store that holds what Gold knows.
type state struct {
	db       *pebble.DB
	together atomic.Bool // values are written among the keys: see purge

	journaling sync.Mutex // commits go to the journal and to the store in the same order
	journal    Journal    // nil: the store alone keeps them
}

// openState opens the store in a directory of fs, or creates it.
func openState(dir string, fs vfs.FS, cacheBytes int64, log pebble.Logger) (*state, error) {
	s := &state{}
	opts := &pebble.Options{
		FS: fs, Logger: log, FormatMajorVersion: pebble.FormatNewest,
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
		return nil, stateError("open "+dir, err)
	}
	s.db = db
	return s, nil
}

// purge rewrites the store, so that nothing that was deleted is left in its files. Values go back among the keys, since a file of
// values stays as it is while one of them is referred to. Nobody may write while lock is held.
func (s *state) purge(ctx context.Context, lock sync.Locker) error {
	s.together.Store(true)
	defer s.together.Store(false)
	lock.Lock()
	err := s.renewTables()
	lock.Unlock()
	if err != nil {
		return err
	}
	return stateError("compact", errors.Join(s.db.Flush(), s.db.Compact(ctx, []byte{0}, []byte{0xFF}, true)))
}

// renewTables has the next compaction rewrite every table, as it does those for which there is something newer, if only their first
// record again.
func (s *state) renewTables() error {
	levels, err := s.db.SSTables()
	if err != nil {
		return stateError("list the tables of", err)
	}
	again := s.db.NewBatch()
	defer again.Close()
	for _, tables := range levels {
		for i := range tables {
			first := tables[i].Smallest.UserKey
			found, err := s.get(first, func(value []byte) error { return again.Set(first, value, nil) })
			if err == nil && !found {
				err = again.Delete(first, nil)
			}
			if err != nil {
				return stateError("read", err)
			}
		}
	}
	return commit(again, pebble.Sync)
}

func (s *state) close() error { return stateError("close", s.db.Close()) }

// commit makes writes take effect together. When the store can no longer write its log, it declares that fatal rather
// than return an error; commit makes an error of it, after which the store has to be opened anew.
//
// Where there is a journal, that has them first, and the store is a copy that needs no sync.
func (s *state) commit(writes *pebble.Batch, how *pebble.WriteOptions) error {
	if s.journal == nil {
		return commit(writes, how)
	}
	s.journaling.Lock()
	defer s.journaling.Unlock()
	seq, err := s.journal.Append(writes.Repr())
	if err != nil {
		return stateError("journal", err)
	}
	return commitCopy(writes, seq)
}

// commitCopy commits what the journal has under a sequence.
func commitCopy(writes *pebble.Batch, seq uint64) error {
	if err := writes.Set([]byte{keyJournal}, binary.AppendUvarint(nil, seq), nil); err != nil {
		return stateError("write", err)
	}
	return commit(writes, pebble.NoSync)
}

func commit(writes *pebble.Batch, how *pebble.WriteOptions) (err error) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case fatal:
			err = stateError("commit", cause)
		default:
			panic(cause)
		}
	}()
	return stateError("commit", writes.Commit(how))
}

// fatal is what the store says when it cannot go on.
type fatal string

func (f fatal) Error() string { return string(f) }

// get passes the value of a key to use, if there is one; use must not keep it.
func (s *state) get(key []byte, use func(value []byte) error) (found bool, err error) {
	return get(s.db, key, use)
}

func get(from getter, key []byte, use func(value []byte) error) (found bool, err error) {
	value, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, stateError("read", err)
	}
	return true, errors.Join(use(value), stateError("read", closer.Close()))
}

// load decodes the record of a key, nil if there is none.
func load[T any](from getter, key []byte, decode func([]byte) (*T, error)) (record *T, err error) {
	_, err = get(from, key, func(value []byte) (err error) {
		record, err = decode(value)
		return err
	})
	return record, err
}

// scan passes every key with the prefix to use, in order, until it returns false or an error.
func scan(from pebble.Reader, prefix []byte, use func(key, value []byte) (more bool, err error)) error {
	return scanAfter(from, prefix, nil, use)
}

// scanAfter is scan from after the key last on, nil for the first.
func scanAfter(from pebble.Reader, prefix, last []byte, use func(key, value []byte) (more bool, err error)) error {
	lower := prefix
	if last != nil {
		lower = append(bytes.Clone(last), 0)
	}
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(prefix)})
	if err != nil {
		return stateError("scan", err)
	}
	for ok := it.First(); ok && err == nil; ok = ok && it.Next() {
		value, valueErr := it.ValueAndErr()
		if err = valueErr; err == nil {
			ok, err = use(it.Key(), value)
		}
	}
	return errors.Join(err, stateError("scan", it.Close()))
}

func stateError(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrState, doing, err)
}

// stateLogger passes on what the state store has to say; its chatter is of no interest to an operator.
type stateLogger struct{ log *slog.Logger }

func (l stateLogger) Infof(string, ...any) {}

func (l stateLogger) Errorf(format string, args ...any) {
	l.log.Error("gold: state store: " + fmt.Sprintf(format, args...))
}

// Fatalf is called where the store cannot go on; it must not return.
func (l stateLogger) Fatalf(format string, args ...any) { panic(fatal(fmt.Sprintf(format, args...))) }
