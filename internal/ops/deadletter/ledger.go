package deadletter

import (
	"context"
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
	"github.com/nats-io/nats.go/jetstream"

	"assay/internal/spill"
	"assay/streams"
)

// The first byte of a key of the ledger says what it is about.
const (
	keyExpected = 'e' // sequence, position → signature of the letter that BRONZE yields
	keyStored   = 's' // sequence, position, sequence on DEAD → signature of the letter that is there
)

// readLetters is how many letters are written to the ledger at a time.
const readLetters = 4096

// Ledger holds, on disk, the letters that there should be and those that there are.
type Ledger struct{ db *pebble.DB }

// Open opens the ledger in a directory of its own, and makes it if it is not there. Errors wrap ErrLedger.
func Open(dir string) (*Ledger, error) {
	db, err := spill.Open(dir)
	if err != nil {
		return nil, ledgerError(err)
	}
	return &Ledger{db}, nil
}

// Close closes the ledger.
func (l *Ledger) Close() error { return ledgerError(l.db.Close()) }

// Sync returns when all that the ledger was told is on disk.
func (l *Ledger) Sync() error { return ledgerError(l.db.LogData(nil, pebble.Sync)) }

// Expect notes letters that BRONZE yields. They may be noted any number of times.
func (l *Ledger) Expect(letters []Letter) error {
	writes := l.db.NewBatch()
	defer writes.Close()
	for i := range letters {
		if err := writes.Set(letters[i].key(keyExpected), letters[i].signature.encode(), nil); err != nil {
			return ledgerError(err)
		}
	}
	return ledgerError(writes.Commit(pebble.NoSync))
}

// Read notes the letters that DEAD has up to one of its sequences, those that are wanted; nil wants all. Errors wrap ErrLedger, or
// are those of streams.Scan.
func (l *Ledger) Read(ctx context.Context, dead jetstream.Stream, upTo uint64, wanted func(*Letter) bool) error {
	writes := l.db.NewBatch()
	defer func() { writes.Close() }()
	for m, err := range streams.Scan(ctx, dead, streams.ReplayOptions{ToSeq: upTo}) {
		if err != nil {
			return err
		}
		found, ok := Of(m.Subject, m.Header, m.Data)
		if !ok || wanted != nil && !wanted(&found) {
			continue
		}
		if err := writes.Set(binary.BigEndian.AppendUint64(found.key(keyStored), m.Seq), found.signature.encode(), nil); err != nil {
			return ledgerError(err)
		}
		if writes.Count() < readLetters {
			continue
		}
		if err := writes.Commit(pebble.NoSync); err != nil {
			return ledgerError(err)
		}
		writes.Reset()
	}
	return ledgerError(writes.Commit(pebble.NoSync))
}

// entries passes through what is noted of one kind, in the order of their ids.
type entries struct {
	it        *pebble.Iterator
	ok        bool
	id        ID
	stored    uint64 // sequence on DEAD
	signature signature
}

// scan begins at the first entry of a kind. The caller closes the entries.
func (l *Ledger) scan(kind byte) (*entries, error) {
	it, err := l.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
	if err != nil {
		return nil, ledgerError(err)
	}
	e := &entries{it: it}
	e.at(it.First())
	return e, nil
}

func (e *entries) next() { e.at(e.it.Next()) }

func (e *entries) at(ok bool) {
	if e.ok = ok; !ok {
		return
	}
	key := e.it.Key()[1:]
	e.id = ID{binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:])}
	if rest := key[16:]; len(rest) > 0 {
		e.stored = binary.BigEndian.Uint64(rest)
	}
	for i, value := 0, e.it.Value(); i < len(e.signature); i, value = i+1, value[8:] {
		e.signature[i] = binary.BigEndian.Uint64(value)
	}
}

// close also tells of what kept the entries from being read to their end.
func (e *entries) close() error { return ledgerError(e.it.Close()) }

func (id ID) key(kind byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte{kind}, id.Seq), id.Position)
}

func (s signature) encode() (value []byte) {
	for _, word := range s {
		value = binary.BigEndian.AppendUint64(value, word)
	}
	return value
}
