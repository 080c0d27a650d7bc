// Package lance gives internal/app its stores: databases of LanceDB, by package sovereign. It is a package of its own so that app
// builds and tests without the native library, which this one links.
package lance

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"assay/internal/app"
	"assay/internal/budget"
	"assay/internal/config"
	"assay/sovereign"
)

// Stores opens databases. It implements app.Stores.
type Stores struct {
	// Bucket says how to reach an object store, by the keys of the Rust crate object_store.
	Bucket map[string]string
	// Unasked says that nobody asks while rows come in.
	Unasked bool
	// Within is how long Open waits for an object store that does not answer before it returns one that is not open yet; 0: that is
	// an error.
	Within time.Duration
	// CacheDir has up to CacheBytes of an object store's files.
	CacheDir   string
	CacheBytes int64
}

// Within is that for programs that serve.
const Within = 5 * time.Second

// For returns the stores that settings describe.
func For(c config.Config) Stores {
	return Stores{Bucket: c.Store.Options, CacheDir: filepath.Join(c.Data, "cache"), CacheBytes: c.Store.CacheBytes}
}

var _ app.Stores = Stores{}

// Open implements app.Stores.
func (s Stores) Open(ctx context.Context, root string, dimensions int, shares budget.Shares) (app.Store, error) {
	options := sovereign.OptionsFor(dimensions, shares)
	options.Bucket, options.Unasked, options.OpenWithin = s.Bucket, s.Unasked, s.Within
	options.CacheDir, options.CacheBytes = s.CacheDir, s.CacheBytes
	store, err := sovereign.Open(ctx, root, options)
	if err != nil {
		return nil, err // and no store that is a nil pointer
	}
	return store, nil
}

// Replace implements app.Stores.
func (s Stores) Replace(ctx context.Context, root, from string) error {
	return sovereign.Replace(ctx, root, from, sovereign.Options{Bucket: s.Bucket})
}

// Fence implements app.Stores. Who leads a fleet has its upkeep too.
func (s Stores) Fence(ctx context.Context, store app.Store, partition int, epoch uint64) (app.Store, error) {
	database, ok := store.(*sovereign.Store)
	if !ok {
		return nil, fmt.Errorf("a %T has no fence", store)
	}
	epochs := sovereign.Epochs{sovereign.Partition(partition): epoch}
	if partition == app.Leading {
		epochs[sovereign.Upkeep] = epoch
	}
	if err := database.Claim(ctx, epochs); err != nil {
		return nil, err
	}
	return database.Fenced(epochs), nil
}
