package streams

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// lettersKey is the key, in the bucket state, of the book of DEAD.
const lettersKey = "letters"

// goneMax bounds the stretches that the book lists. Beyond it they become one, in which nothing is missed any more.
const goneMax = 10_000

// letterBook is what is known of DEAD besides what it holds, so that what vanishes from it can be told from what was removed.
type letterBook struct {
	Last   uint64    `json:"last"`            // the last sequence that it has had
	Left   uint64    `json:"left,omitempty"`  // the last that its limits are known to have taken
	Before time.Time `json:"before,omitzero"` // its limits have taken no letter that was stored then or later
	Gone   []Stretch `json:"gone,omitempty"`  // that were erased or accepted, in order
}

// MissingLetters returns which letters DEAD has had and has no more, although neither its limits took them nor EraseLetters: up
// to missingMax stretches of its sequences, in order. Of a data directory that is older than the book it knows nothing.
func (l *Log) MissingLetters(ctx context.Context) ([]Stretch, error) {
	book, revision, err := l.letterBook(ctx) // first, lest it be ahead of what was asked before
	if err != nil || revision == 0 {
		return nil, err
	}
	info, err := l.dead.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return nil, scanError(err)
	}
	l.observe(book, info, true)
	return book.missing(info.State), nil
}

// AcceptLetters makes MissingLetters pass over what it would return now: all that can be written again was.
func (l *Log) AcceptLetters(ctx context.Context) error {
	return l.changeLetters(ctx, true, func(book *letterBook, state jetstream.StreamState) {
		book.Last = state.LastSeq
		book.give(book.missing(state))
	})
}

// EraseLetters overwrites letters of DEAD, given by sequence, and removes them. It returns how many were there.
func (l *Log) EraseLetters(ctx context.Context, sequences []uint64) (erased int, err error) {
	if len(sequences) == 0 {
		return 0, nil
	}
	gone := make([]Stretch, len(sequences))
	for i, seq := range sequences {
		gone[i] = Stretch{seq, seq}
	}
	// Before they go, so that none is missed.
	if err := l.changeLetters(ctx, false, func(book *letterBook, _ jetstream.StreamState) { book.give(gone) }); err != nil {
		return 0, err
	}
	return eraseMessages(ctx, l.dead, sequences)
}

// LettersKeptFrom returns the sequence in BRONZE from which on the limits of DEAD have certainly taken no frame's letter. A letter
// comes later than its frame, so those of frames that are not older than the oldest letter that was kept were kept too.
func (l *Log) LettersKeptFrom(ctx context.Context) (uint64, error) {
	book, revision, err := l.letterBook(ctx)
	if err != nil {
		return 0, err
	}
	info, err := l.dead.Info(ctx)
	if err != nil {
		return 0, scanError(err)
	}
	if l.observe(book, info, revision > 0); book.Left == 0 {
		return 1, nil
	}
	for m, err := range Scan(ctx, l.bronze, ReplayOptions{From: book.Before, HeadersOnly: true}) {
		return m.Seq, err
	}
	frames, err := l.bronze.Info(ctx)
	if err != nil {
		return 0, scanError(err)
	}
	return frames.State.LastSeq + 1, nil
}

// noteLetters brings the book up to what DEAD holds now.
func (l *Log) noteLetters(ctx context.Context) error {
	return l.changeLetters(ctx, false, func(*letterBook, jetstream.StreamState) {})
}

// changeLetters keeps in the book what DEAD holds now, and a change. Without details the change is not told which letters have
// been deleted.
func (l *Log) changeLetters(ctx context.Context, details bool, change func(*letterBook, jetstream.StreamState)) error {
	for {
		book, revision, err := l.letterBook(ctx)
		if err != nil {
			return err
		}
		was := book.encode()
		info, err := l.dead.Info(ctx, jetstream.WithDeletedDetails(details || revision == 0))
		if err != nil {
			return scanError(err)
		}
		l.observe(book, info, revision > 0)
		if revision == 0 { // why something is not there is known from now on
			book.give(book.missing(info.State))
		}
		change(book, info.State)
		value := book.encode()
		if revision > 0 && bytes.Equal(value, was) {
			return nil
		}
		if revision == 0 {
			_, err = l.state.Create(ctx, lettersKey, value)
		} else {
			_, err = l.state.Update(ctx, lettersKey, value, revision)
		}
		if !IsConflict(err) { // else another process has just changed it
			return bookError(err)
		}
	}
}

// letterBook returns the book and its revision in the bucket, 0 if there is none.
func (l *Log) letterBook(ctx context.Context) (*letterBook, uint64, error) {
	book := &letterBook{}
	entry, err := l.state.Get(ctx, lettersKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return book, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(entry.Value(), book)
	}
	if err != nil {
		return nil, 0, bookError(err)
	}
	return book, entry.Revision(), nil
}

// observe notes what DEAD has had, and what limits have taken: those of Open, or an operator's. If nothing was known before, all
// that is not there at its beginning counts as taken by them.
func (l *Log) observe(book *letterBook, info *jetstream.StreamInfo, known bool) {
	cfg, state := info.Config, info.State
	left, before := max(1, state.FirstSeq)-1, state.FirstTime
	if cfg.MaxMsgsPerSubject > 0 { // which may take any
		left = state.LastSeq
	}
	if left == state.LastSeq {
		before = state.LastTime
	}
	if limited := !known || l.full(cfg, state) || cfg.MaxAge > 0; limited && left > book.Left {
		book.Left, book.Before = left, before.UTC()
	}
	book.Last = max(book.Last, state.LastSeq)
}

// missing returns what is not there of what there was and nothing explains.
func (b *letterBook) missing(state jetstream.StreamState) []Stretch {
	m := absence{gaps: withAccepted(nil, append([]Stretch{{From: 1, To: b.Left}}, b.Gone...))}
	return m.of(state, 0, b.Last)
}

// give adds stretches to those that are gone, and forgets those that its limits would have taken by now.
func (b *letterBook) give(gone []Stretch) {
	all := slices.Concat(b.Gone, gone)
	slices.SortFunc(all, func(a, b Stretch) int { return cmp.Compare(a.From, b.From) })
	b.Gone = nil
	for _, s := range all {
		n := len(b.Gone)
		switch {
		case s.To <= b.Left:
		case n > 0 && s.From <= b.Gone[n-1].To+1:
			b.Gone[n-1].To = max(b.Gone[n-1].To, s.To)
		default:
			b.Gone = append(b.Gone, s)
		}
	}
	if n := len(b.Gone); n > goneMax {
		b.Gone = []Stretch{{b.Gone[0].From, b.Gone[n-1].To}}
	}
}

func (b *letterBook) encode() []byte {
	value, err := json.Marshal(b)
	if err != nil {
		panic(err) // numbers and times always marshal
	}
	return value
}

func bookError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("streams: key %s of bucket %s: %w", lettersKey, BucketState, err)
}
