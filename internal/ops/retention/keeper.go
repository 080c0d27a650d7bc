package retention

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/sovereign/schema"
)

const (
	// horizonKey is the key of the horizons in the bucket state.
	horizonKey = "retention"
	// roundShare is which part of its rows a table that is too large loses in one Round: one in so many.
	roundShare = 10
	// sizeRest is how long a table's size is left alone after rows were dropped for it: that long the old versions remain.
	sizeRest = 20 * time.Minute
	// halvings bounds the search for a time: within a range of centuries it finds it to the second.
	halvings = 40
)

// Limits bound one table; zero values do not.
type Limits struct {
	MaxAge   time.Duration
	MaxBytes int64
}

// Horizon says what of a table was dropped.
type Horizon struct {
	Before  time.Time `json:"before"`  // rows last active before it may be missing
	Dropped uint64    `json:"dropped"` // rows in all
	At      time.Time `json:"at"`      // when the horizon was last moved
}

// Store holds the tables.
type Store interface {
	schema.Store
	// Bytes is the size of a table, old versions included.
	Bytes(ctx context.Context, table string) (int64, error)
}

// Keeper keeps tables within their limits.
type Keeper struct {
	Store     Store
	State     jetstream.KeyValue // where horizons are kept
	Limits    map[string]Limits  // by table
	Exclusive func(do func() error) error
	Now       func() time.Time
}

// Horizons returns those of all tables that have one.
func Horizons(ctx context.Context, state jetstream.KeyValue) (map[string]Horizon, error) {
	all, _, err := horizons(ctx, state)
	return all, err
}

// horizons returns those of all tables, and the revision in the bucket, 0 if there is none.
func horizons(ctx context.Context, state jetstream.KeyValue) (all map[string]Horizon, revision uint64, err error) {
	all = map[string]Horizon{}
	entry, err := state.Get(ctx, horizonKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return all, 0, nil
	}
	if err == nil {
		revision = entry.Revision()
		err = json.Unmarshal(entry.Value(), &all)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrHorizon, err)
	}
	return all, revision, nil
}

// Round drops what is beyond the limits, a bounded part of it. Errors wrap ErrHorizon or ErrStore.
func (k *Keeper) Round(ctx context.Context) error {
	for _, table := range Tables() {
		limits := k.Limits[table]
		if limits == (Limits{}) {
			continue
		}
		if err := k.round(ctx, table, limits); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	return nil
}

func (k *Keeper) round(ctx context.Context, table string, limits Limits) error {
	all, revision, err := horizons(ctx, k.State)
	if err != nil {
		return err
	}
	was := all[table]
	before := was.Before
	if limits.MaxAge > 0 {
		before = later(before, k.Now().Add(-limits.MaxAge))
	}
	if limits.MaxBytes > 0 && k.Now().Sub(was.At) > sizeRest {
		by, err := k.tooLarge(ctx, table, limits.MaxBytes)
		if err != nil {
			return err
		}
		before = later(before, by)
	}
	before = before.UTC().Truncate(time.Microsecond)
	rows, err := k.Store.Count(ctx, table, Aged(table, before))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	if rows == 0 {
		return nil
	}
	all[table] = Horizon{Before: before, Dropped: was.Dropped + uint64(rows), At: k.Now().UTC()}
	value, err := json.Marshal(all)
	if err == nil {
		_, err = k.State.Update(ctx, horizonKey, value, revision)
	}
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return nil // another process has just moved a horizon: the next round goes by that
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHorizon, err)
	}
	return k.Exclusive(func() error {
		if err := k.Store.Delete(ctx, table, Aged(table, before)); err != nil {
			return fmt.Errorf("%w: %w", ErrStore, err)
		}
		return nil
	})
}

// oldest returns the time before which a tenth of the rows were last active.
func (k *Keeper) oldest(ctx context.Context, table string) (time.Time, error) {
	all, err := k.Store.Count(ctx, table, schema.Filter{})
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrStore, err)
	}
	least, most := time.Unix(0, 0), k.Now()
	for range halvings {
		middle := least.Add(most.Sub(least) / 2)
		n, err := k.Store.Count(ctx, table, Aged(table, middle))
		if err != nil {
			return time.Time{}, fmt.Errorf("%w: %w", ErrStore, err)
		}
		if n*roundShare > all {
			most = middle
		} else {
			least = middle
		}
	}
	return most, nil
}

// tooLarge returns the time before which rows of a table that exceeds its size are to go, the zero time if it does not.
func (k *Keeper) tooLarge(ctx context.Context, table string, bytesMax int64) (before time.Time, err error) {
	bytes, err := k.Store.Bytes(ctx, table)
	if err != nil {
		return before, fmt.Errorf("%w: %w", ErrStore, err)
	}
	if bytes <= bytesMax {
		return before, nil
	}
	return k.oldest(ctx, table)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
