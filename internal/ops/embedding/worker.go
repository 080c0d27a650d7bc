package embedding

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"assay/sovereign/schema"
)

// Limits and waits of the worker.
const (
	// roundRows is how many episodes are embedded before they are written. Merging costs the same for few as for many.
	roundRows = 2048
	// requestTexts is how many texts are passed to the embedder at a time, requests how often at once.
	requestTexts = 64
	requests     = 4
	// lookEvery is how often episodes are looked for although nothing was heard of new ones.
	lookEvery = time.Minute
	// retryWait follows a failure; it doubles up to lookEvery.
	retryWait = time.Second
	// patience is how long a silent embedder counts as busy.
	patience = 3 * time.Second
)

// Worker embeds the episodes that have no vector of the embedder's model.
type Worker struct {
	Store    schema.Store // holds the episodes
	Embedder schema.Embedder
	// Exclusive runs do while nobody else writes episodes.
	Exclusive func(do func() error) error
	// Renewed is called when the last vector of another model is gone: an index made of such is worthless.
	Renewed func(ctx context.Context) error
	Logger  *slog.Logger

	wake chan struct{}

	mu      sync.Mutex
	failing bool      // the last round ended early
	heard   time.Time // from the embedder; zero while it is not asked
	since   time.Time // when there came to be something to embed; zero while there is nothing
}

// New returns a Worker; the caller sets the rest of its fields.
func New(store schema.Store, embedder schema.Embedder, logger *slog.Logger) *Worker {
	return &Worker{Store: store, Embedder: embedder, Logger: logger, wake: make(chan struct{}, 1)}
}

// Wake says that there are new episodes. It does not block.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Run embeds until ctx ends, which is no error. What fails is tried again.
func (w *Worker) Run(ctx context.Context) error {
	wait := retryWait
	for {
		err := w.catchUp(ctx)
		next := lookEvery
		if err != nil {
			next = wait
			wait = min(2*wait, lookEvery)
		} else {
			wait = retryWait
		}
		w.note(err != nil, time.Time{})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			w.Logger.Warn("episodes wait for their vectors; will try again", "error", err, "wait", next)
		}
		w.rest(ctx, next, err == nil)
	}
}

// rest waits, when all went well no longer than until Wake.
func (w *Worker) rest(ctx context.Context, wait time.Duration, wakes bool) {
	wake := w.wake
	if !wakes {
		wake = nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// Pending counts the episodes that have no vector of the embedder's model.
func (w *Worker) Pending(ctx context.Context) (int64, error) {
	return w.Store.Count(ctx, schema.Episodes, w.pending())
}

// Waiting returns for how long there have been episodes to embed without a break, 0 if there are none.
func (w *Worker) Waiting() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since.IsZero() {
		return 0
	}
	return time.Since(w.since)
}

// Busy reports whether there are episodes to embed and the embedder gets on with it. One that fails, or has been silent for
// a while, is not waited for.
func (w *Worker) Busy(ctx context.Context) (bool, error) {
	w.mu.Lock()
	idle := w.failing || !w.heard.IsZero() && time.Since(w.heard) > patience
	w.mu.Unlock()
	if idle {
		return false, nil
	}
	n, err := w.Pending(ctx)
	return n > 0, err
}

func (w *Worker) note(failing bool, heard time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failing, w.heard = failing, heard
}

func (w *Worker) found(episodes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if episodes == 0 {
		w.since = time.Time{}
	} else if w.since.IsZero() {
		w.since = time.Now()
	}
}

func (w *Worker) pending() schema.Filter {
	return schema.Or(schema.IsNull("model"), schema.Ne("model", w.Embedder.Model()))
}

// catchUp embeds until nothing is left.
func (w *Worker) catchUp(ctx context.Context) error {
	var renews int64
	// Wake comes while episodes are being written: look when they are.
	err := w.Exclusive(func() (err error) {
		renews, err = w.Store.Count(ctx, schema.Episodes, schema.Ne("model", w.Embedder.Model()))
		return err
	})
	if err != nil {
		return err
	}
	for {
		more, err := w.round(ctx)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if renews == 0 || w.Renewed == nil {
		return nil
	}
	return w.Renewed(ctx)
}

// round embeds some episodes and writes their vectors, also when the embedder fails on the way.
func (w *Worker) round(ctx context.Context) (more bool, err error) {
	found, err := read[todo](ctx, w.Store, schema.Query{
		Table: schema.Episodes, Columns: []string{"episode_uuid", "text"}, Where: w.pending(), Limit: roundRows,
	})
	if err != nil {
		return false, err
	}
	w.found(len(found))
	if len(found) == 0 {
		return false, nil
	}
	w.note(false, time.Now())
	embedErr := w.embed(ctx, found)
	if err := w.write(ctx, found); err != nil {
		return false, errors.Join(embedErr, err)
	}
	return embedErr == nil, embedErr
}

func read[T any](ctx context.Context, store schema.Reader, q schema.Query) ([]T, error) {
	r, err := store.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	rows, err := schema.Scan[T](r)
	if err != nil {
		return nil, fmt.Errorf("vectors: read %s: %w", q.Table, err)
	}
	return rows, nil
}
