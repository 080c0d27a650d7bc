package gold

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Limits of the state store.
const (
	stateMemTableBytes = 16 << 20
	stateOpenFiles     = 512
	bloomBits          = 10 // per key: 1 % of look-ups of unknown events touch a block
)

// state is the embedded ordered store that holds what Gold knows.
type state struct{ db *pebble.DB }

// openState opens the store in a directory of fs, or creates it.
func openState(dir string, fs vfs.FS, cacheBytes int64, log pebble.Logger) (*state, error) {
	opts := &pebble.Options{
		FS: fs, Logger: log, FormatMajorVersion: pebble.FormatNewest,
		CacheSize: cacheBytes, MemTableSize: stateMemTableBytes, MaxOpenFiles: stateOpenFiles,
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, stateError("open "+dir, err)
	}
	return &state{db}, nil
}

func (s *state) close() error { return stateError("close", s.db.Close()) }

// get passes the value of a key to use, if there is one; use must not keep it.
func (s *state) get(key []byte, use func(value []byte) error) (found bool, err error) {
	return get(s.db, key, use)
}

func get(from pebble.Reader, key []byte, use func(value []byte) error) (found bool, err error) {
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
func load[T any](from pebble.Reader, key []byte, decode func([]byte) (*T, error)) (record *T, err error) {
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
