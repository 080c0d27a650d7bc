package sovereign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lancedb/lancedb-go/pkg/contracts"
	"github.com/lancedb/lancedb-go/pkg/lancedb"

	"assay/internal/budget"
	"assay/sovereign/schema"
)

// Options tunes a store. The zero value stands for the defaults.
type Options struct {
	// FragmentRows is the number of rows that Optimise aims at for a fragment, and so what upkeep holds in memory at a time. Default 128 Ki.
	FragmentRows int64
	// IndexCacheBytes and FooterCacheBytes bound what is kept of indexes and of footers of files, by all stores of the process
	// together; those of the first one count. Default 128 MiB and 32 MiB.
	IndexCacheBytes, FooterCacheBytes int64
	// OptimiseRowsMax limits the rows that one Optimise rewrites. Default 8 Mi.
	OptimiseRowsMax int64
	// VersionAgeMax is the age at which Optimise forgets a version of a table. A query that runs longer than this may
	// find its files gone. Default 10 minutes.
	VersionAgeMax time.Duration
	// VectorDimensions is the length of the vectors of episodes where their table is made. One that exists keeps its own; see
	// Store.Reshape. Default schema.VectorDim.
	VectorDimensions int
	// VectorIndexRows is the number of vectors from which on EnsureVectorIndex indexes them; fewer are compared in memory, which
	// takes as long as searching the index of a million. Default seven eighths of TailRows.
	VectorIndexRows int64
	// TailRows is how many rows of a column, not indexed yet, are indexed in memory; that of the first store of the process
	// counts. Half of them, in a burst seven eighths, have ExtendIndexes index them on disk. Default 48 Ki.
	TailRows int64
	// Unasked says that nobody asks while rows come in, so that in a burst what questions are ranked by is not indexed at all.
	Unasked bool
	// Bucket says how a store that is a URL is to be reached, by the keys of the crate object_store: endpoint, region,
	// access_key_id and so on. What is not said comes from the environment.
	Bucket map[string]string
	// OpenWithin is how long Open waits for an object store that does not answer before it returns a store that is not open yet: see
	// Store.Opened. 0: as long as it takes, and that it does not answer is an error.
	OpenWithin time.Duration
	// CacheDir is a folder that nobody else uses, in which up to CacheBytes of what never changes in an object store are kept; those of
	// the store that was opened last count for all of the process. 0: nothing is kept.
	CacheDir   string
	CacheBytes int64
}

// OptionsFor returns the options of a store that keeps to its shares of the memory, with episodes whose vectors have that many
// dimensions if there are none yet.
func OptionsFor(dimensions int, shares budget.Shares) Options {
	return Options{
		VectorDimensions: dimensions, FragmentRows: shares.FragmentRows, IndexCacheBytes: shares.Indexes, FooterCacheBytes: shares.Footers,
		TailRows: shares.TailRows,
	}
}

func (o Options) withDefaults() Options {
	if o.FragmentRows == 0 {
		o.FragmentRows = 128 << 10
	}
	if o.IndexCacheBytes == 0 {
		o.IndexCacheBytes = 128 << 20
	}
	if o.FooterCacheBytes == 0 {
		o.FooterCacheBytes = 32 << 20
	}
	if o.OptimiseRowsMax == 0 {
		o.OptimiseRowsMax = 8 << 20
	}
	if o.VersionAgeMax == 0 {
		o.VersionAgeMax = 10 * time.Minute
	}
	if o.VectorDimensions == 0 {
		o.VectorDimensions = schema.VectorDim
	}
	if o.TailRows == 0 {
		o.TailRows = 48 << 10
	}
	if o.VectorIndexRows == 0 {
		o.VectorIndexRows = o.extendRankedFrom(true)
	}
	return o
}

// Store is an open LanceDB database with the tables of Assay. It may be used by several goroutines at once.
//
// Every method returns as soon as its context ends, with the context's cause; a write may then have been done or not, and
// Close waits for it.
type Store struct {
	root       string // a folder, or the URL of an object store
	opts       Options
	calls      *calls
	opening    *sync.Mutex  // held while the tables are opened
	opened     *atomic.Bool // the tables are open, and what follows is there
	connection contracts.IConnection
	tables     map[string]*openTable
	added      []string     // see ColumnsAdded
	indexing   *sync.Mutex  // held while the index of vectors is built
	asked      *atomic.Bool // somebody has asked for what is ranked
}

// openTable is a table through lancedb-go and through the native calls.
type openTable struct {
	schema.Table
	lance  contracts.ITable
	native *nativeTable
}

// Open opens the database at root, a folder or the URL of an object store (s3://, gs://, az://), creating the folder and the
// tables that are missing. An object store that does not keep what commits rest on is refused with ErrInvalid. A table that an earlier
// version of Assay made gets the columns that came later, if they may be null. Open fails with ErrSchema if a table has other
// columns than this version expects in any other way.
func Open(ctx context.Context, root string, opts Options) (*Store, error) {
	root, err := resolve(root, opts.Bucket)
	if err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	limitCaches(opts.IndexCacheBytes, opts.FooterCacheBytes)
	limitTail(opts.TailRows)
	if !schema.IsURL(root) {
		opts.OpenWithin = 0
	} else if err := cacheIn(opts.CacheDir, opts.CacheBytes); err != nil {
		return nil, fmt.Errorf("keep what is read of %s in %s: %w", root, opts.CacheDir, err)
	}
	s := &Store{
		root: root, opts: opts, calls: newCalls(), opening: &sync.Mutex{}, opened: new(atomic.Bool), tables: make(map[string]*openTable),
		indexing: &sync.Mutex{}, asked: new(atomic.Bool),
	}
	switch err := s.openWithin(ctx); {
	case err == nil:
		return s, nil
	case errors.Is(err, ErrIO) && opts.OpenWithin > 0:
		s.calls.trouble.note(err)
		return s, nil
	default:
		return nil, errors.Join(err, s.Close())
	}
}

// openWithin opens the tables within the time that there is for it. What is tried then goes on, and may still succeed.
func (s *Store) openWithin(ctx context.Context) error {
	if s.opts.OpenWithin > 0 {
		silent := fmt.Errorf("%w: no answer within %v", ErrIO, s.opts.OpenWithin)
		limited, cancel := context.WithTimeoutCause(ctx, s.opts.OpenWithin, silent)
		defer cancel()
		ctx = limited
	}
	return s.reach(ctx)
}

// Opened tells whether the tables are open. Of a store that has not been reached yet (Options.OpenWithin), Refresh opens them;
// until then all else fails with ErrIO.
func (s *Store) Opened() bool { return s.opened.Load() }

// reach opens the tables unless they are open.
func (s *Store) reach(ctx context.Context) error {
	if s.opened.Load() {
		return nil
	}
	err := s.await(ctx, func() error {
		s.opening.Lock()
		defer s.opening.Unlock()
		if s.opened.Load() {
			return nil
		}
		err := s.open(context.WithoutCancel(ctx)) // what it tries goes on
		if err != nil {
			err = errors.Join(err, s.closeTables())
			clear(s.tables) // the next attempt begins anew
			s.connection = nil
			return err
		}
		s.opened.Store(true)
		return s.warmLater(context.WithoutCancel(ctx))
	})
	if err != nil {
		return fmt.Errorf("open store %s: %w", s.root, err)
	}
	return nil
}

// closeTables closes what is open.
func (s *Store) closeTables() error {
	var errs []error
	for _, t := range s.tables {
		t.native.close()
		errs = append(errs, t.lance.Close())
	}
	if s.connection != nil {
		errs = append(errs, s.connection.Close())
	}
	return errors.Join(errs...)
}

// Replace puts the tables that lie in the folder from, which nobody has open, in the place of those of the object store at root.
// If it is interrupted it may be called again.
func Replace(ctx context.Context, root, from string, opts Options) error {
	root, err := resolve(root, opts.Bucket)
	if err != nil {
		return err
	}
	calls := newCalls()
	_, err = do(ctx, calls, withoutResult(func() error { return replaceStore(root, from) }), func(struct{}) {})
	if _, late := calls.close(context.WithoutCancel(ctx)); err == nil {
		err = late
	}
	if err != nil {
		return fmt.Errorf("replace the tables of %s: %w", root, err)
	}
	return nil
}

// resolve makes a path absolute, and sees to it that an object store can be reached.
func resolve(root string, bucket map[string]string) (string, error) {
	if !schema.IsURL(root) {
		path, err := filepath.Abs(root)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrIO, err)
		}
		return path, nil
	}
	root = strings.TrimRight(root, "/")
	if len(bucket) == 0 {
		return root, nil
	}
	options, err := json.Marshal(bucket)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return root, storeOptions(root, string(options))
}

// Bytes is the size of a table, in bytes, old versions included.
func (s *Store) Bytes(ctx context.Context, table string) (bytes int64, err error) {
	err = s.on(ctx, "measure", table, func(*openTable) (err error) {
		bytes, err = tableBytes(s.root, table)
		return err
	})
	return bytes, err
}

// Versions returns the number of each table's newest version: it is another after any change, whoever made it.
func (s *Store) Versions(ctx context.Context) (map[string]int, error) {
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	versions := make(map[string]int, len(s.tables))
	for name := range s.tables {
		err := s.on(ctx, "read the version of", name, func(t *openTable) (err error) {
			versions[name], err = t.lance.Version(ctx)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return versions, nil
}

// ClearCache removes what is kept of object stores in Options.CacheDir.
func (s *Store) ClearCache() { clearCache() }

// ColumnsAdded returns the columns that were added when the tables were opened to those of an earlier version, as TABLE.COLUMN.
func (s *Store) ColumnsAdded() []string { return s.added }

// Refresh shows readers what other clients have written to the tables. A write of the store's own does so too, but while there
// is none, a store would not notice them.
func (s *Store) Refresh(ctx context.Context) error {
	if err := s.reach(ctx); err != nil {
		return err
	}
	for name := range s.tables {
		if err := s.refresh(ctx, name); err != nil {
			return err
		}
	}
	s.calls.trouble.over()
	return nil
}

func (s *Store) refresh(ctx context.Context, table string) error {
	return s.on(ctx, "refresh", table, func(*openTable) error {
		newest, err := openNative(s.root, table) // opening looks for the newest version, and all handles share it
		if err != nil {
			return err
		}
		newest.close()
		return nil
	})
}

// Close waits for the calls under way and closes the store. Readers that Query returned fail from then on.
func (s *Store) Close() error { return s.CloseWithin(context.Background()) }

// CloseWithin is Close, but leaves what is under way when ctx ends, such as a long compaction, to itself: the process may end in
// the middle of it, since what was not committed by then does not count. The error wraps the context's.
func (s *Store) CloseWithin(ctx context.Context) error {
	first, err := s.calls.close(ctx)
	if err != nil {
		return fmt.Errorf("sovereign: calls are still under way: %w", err)
	}
	if !first {
		return nil
	}
	return s.closeTables()
}

func (s *Store) open(ctx context.Context) error {
	if err := prepareStore(s.root); err != nil {
		return err
	}
	connection, err := lancedb.Connect(ctx, s.root, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIO, err)
	}
	s.connection = connection
	names, err := connection.TableNames(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIO, err)
	}
	exists := make(map[string]bool, len(names))
	for _, name := range names {
		exists[name] = true
	}
	for _, definition := range schema.All {
		if err := s.add(ctx, definition, exists[definition.Name]); err != nil {
			return fmt.Errorf("table %s: %w", definition.Name, err)
		}
	}
	return nil
}

func (s *Store) add(ctx context.Context, definition schema.Table, exists bool) error {
	if definition.Name == schema.Episodes {
		definition.Schema = schema.EpisodesSchema(s.opts.VectorDimensions)
	}
	lance, err := s.lanceTable(ctx, definition, exists)
	if err != nil {
		return err
	}
	native, err := openNative(s.root, definition.Name)
	if err != nil {
		return errors.Join(err, lance.Close())
	}
	t := &openTable{Table: definition, lance: lance, native: native}
	s.tables[definition.Name] = t
	if exists {
		return s.fit(ctx, t)
	}
	return t.ensureIndexes()
}

// lanceTable creates or opens a table.
func (s *Store) lanceTable(ctx context.Context, definition schema.Table, exists bool) (contracts.ITable, error) {
	if !exists {
		schema, err := lancedb.NewSchema(definition.Schema)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInternal, err)
		}
		lance, err := s.connection.CreateTable(ctx, definition.Name, schema)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrIO, err)
		}
		return lance, nil
	}
	lance, err := s.connection.OpenTable(ctx, definition.Name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIO, err)
	}
	return lance, nil
}

// fit adopts the length of a table's vectors, and adds the columns that came after the version that made the table.
func (s *Store) fit(ctx context.Context, t *openTable) error {
	found, err := t.lance.Schema(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIO, err)
	}
	if dimensions := dimensionsOf(found); t.Name == schema.Episodes && dimensions > 0 {
		t.Schema = schema.EpisodesSchema(dimensions)
	}
	missing, err := compareSchema(found, t.Schema)
	if err == nil && len(missing) > 0 {
		err = t.native.addColumns(missing)
	}
	if err != nil {
		return err
	}
	for _, column := range missing {
		s.added = append(s.added, t.Name+"."+column.Name)
	}
	return nil
}

// table returns an open table by its name.
func (s *Store) table(name string) (*openTable, error) {
	if !s.opened.Load() {
		return nil, s.unreached()
	}
	t, ok := s.tables[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	return t, nil
}

func (s *Store) unreached() error {
	return fmt.Errorf("%w: the store at %s has not been reached yet", ErrIO, s.root)
}

// on runs call on a table; doing says in the error what was tried.
func (s *Store) on(ctx context.Context, doing, table string, call func(*openTable) error) error {
	t, err := s.table(table)
	if err == nil {
		err = s.await(ctx, func() error { return call(t) })
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", doing, table, err)
	}
	return nil
}

// await runs a call that has no result.
func (s *Store) await(ctx context.Context, call func() error) error {
	_, err := do(ctx, s.calls, withoutResult(call), func(struct{}) {})
	return err
}

func withoutResult(call func() error) func() (struct{}, error) {
	return func() (struct{}, error) { return struct{}{}, call() }
}
