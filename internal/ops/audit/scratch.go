package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/internal/spill"
)

// The first byte of a key of the scratch space says what it is about.
const (
	keyCheckpoint = 'c' // → checkpoint
	keyExpected   = 'e' // table, id → row that the log says there is
	keyGroup      = 'g' // → first and last sequence of the group being folded
	keyNew        = 'n' // id, sequence, position: event of that group that was in no earlier frame
	keyStored     = 's' // table, id, number → row that there was at the moment of rest
	keyEntry      = 'k' // id: promotion that the bucket had
)

// scratch is an audit's disk space. Rows lie in it in the order of their ids.
type scratch struct{ db *pebble.DB }

func scratchExists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "rows"))
	return err == nil
}

func openScratch(dir string) (*scratch, error) {
	db, err := spill.Open(dir)
	return &scratch{db}, stateError(err)
}

func (s *scratch) close() error { return stateError(s.db.Close()) }

// get passes the value of a key to use, if there is one.
func (s *scratch) get(k []byte, use func(value []byte) error) error {
	value, closer, err := s.db.Get(k)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return stateError(err)
	}
	return stateError(errors.Join(use(value), closer.Close()))
}

// has reports whether there is a key; one that cannot be read counts as not there.
func (s *scratch) has(k []byte) (there bool) {
	err := s.get(k, func([]byte) error { there = true; return nil })
	return there && err == nil
}

// row is a row in the scratch space.
type row struct {
	id     uuid.UUID
	text   string // the key as it is in the table, if it is not the id's
	entity string // that the row is about, "" if about none
	words  []uint64
}

func (r *row) key() string {
	if r.text != "" {
		return r.text
	}
	return r.id.String()
}

func (r *row) encode() []byte {
	value := binary.AppendUvarint(nil, uint64(len(r.text)))
	value = append(value, r.text...)
	value = binary.AppendUvarint(value, uint64(len(r.entity)))
	value = append(value, r.entity...)
	for _, word := range r.words {
		value = binary.BigEndian.AppendUint64(value, word)
	}
	return value
}

// decode reads what encode has written.
func (r *row) decode(value []byte) {
	for _, text := range []*string{&r.text, &r.entity} {
		n, size := binary.Uvarint(value)
		value = value[size:]
		*text, value = string(value[:n]), value[n:]
	}
	for r.words = r.words[:0]; len(value) > 0; value = value[8:] {
		r.words = append(r.words, binary.BigEndian.Uint64(value))
	}
}

// rows passes through the rows of a table, in the order of their ids.
type rows struct {
	row
	it     *pebble.Iterator
	prefix int
	ok     bool
}

// scan begins at a table's first row. The caller closes the rows.
func (s *scratch) scan(kind byte, table string) (*rows, error) {
	prefix := tablePrefix(kind, table)
	end := append(prefix[:len(prefix)-1:len(prefix)-1], prefix[len(prefix)-1]+1)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: end})
	if err != nil {
		return nil, stateError(err)
	}
	r := &rows{it: it, prefix: len(prefix)}
	r.at(it.First())
	return r, nil
}

func (r *rows) next() { r.at(r.it.Next()) }

func (r *rows) at(ok bool) {
	if r.ok = ok; ok {
		copy(r.id[:], r.it.Key()[r.prefix:])
		r.decode(r.it.Value())
	}
}

func (r *rows) close() error { return stateError(r.it.Close()) }

func tablePrefix(kind byte, table string) []byte {
	return append(append([]byte{kind}, table...), 0)
}

func expectedKey(table string, id uuid.UUID) []byte {
	return append(tablePrefix(keyExpected, table), id[:]...)
}

// storedKey tells rows apart that have one id, by a number.
func storedKey(table string, id uuid.UUID, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(tablePrefix(keyStored, table), id[:]...), number)
}

func stateError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrState, err)
}
