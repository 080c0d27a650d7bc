package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"assay/consumers/gold"
	"assay/consumers/promotion"
	"assay/consumers/silver"
	"assay/internal/budget"
	"assay/internal/config"
	"assay/internal/edge"
	"assay/internal/fleet"
	"assay/internal/ops/embedding"
	"assay/internal/ops/rebuild"
	"assay/internal/query"
	"assay/sovereign/schema"
	"assay/streams"
)

// Stores opens stores, which lie in a folder or at a URL. lance.Stores does, by package sovereign; app itself builds without the
// native library.
type Stores interface {
	// Open opens a store, with episodes whose vectors have that many dimensions if there are none yet, and within its shares of the
	// memory. It is called once the data directory is locked. The store may be one that could not be reached yet: then Start goes on with
	// opening it, and until it is open there is neither folding nor an answer from tables.
	Open(ctx context.Context, root string, dimensions int, shares budget.Shares) (Store, error)
	// Replace puts the tables that lie in a folder in the place of those of the store at root.
	Replace(ctx context.Context, root, from string) error
	// Fence takes a partition over, and returns the store as its owner writes to it in that epoch: with schema.ErrFenced once
	// another one has taken it over.
	Fence(ctx context.Context, store Store, partition int, epoch uint64) (Store, error)
}

// Store is the sovereign store, as all parts together need it: a sovereign.Store.
type Store interface {
	schema.Store
	ColumnsAdded() []string
	EnsureIndexes(ctx context.Context) error
	EnsureVectorIndex(ctx context.Context, model string) error
	ExtendIndexes(ctx context.Context, table string, burst bool) error
	Dimensions() int
	Reshape(ctx context.Context, dimensions int) error
	Optimise(ctx context.Context, table string) error
	Prune(ctx context.Context, table string) error
	Refresh(ctx context.Context) error
	// Identity and Identify tell whose the store is.
	Identity(ctx context.Context) (schema.Identity, error)
	Identify(ctx context.Context, id schema.Identity) error
	// Bytes is the size of a table, and Versions returns a number for each table that is another after any change to it.
	Bytes(ctx context.Context, table string) (int64, error)
	Versions(ctx context.Context) (map[string]int, error)
	// Opened tells whether the store has been reached; if not, Refresh tries again, and all else fails with schema.ErrIO.
	Opened() bool
	// ClearCache removes what is kept of it on the local disk.
	ClearCache()
	// Trouble tells what keeps the tables from being read or written, nil if nothing does.
	Trouble(ctx context.Context) error
	Close() error
	CloseWithin(ctx context.Context) error
}

// Options configure a Pipeline.
type Options struct {
	Config     config.Config
	NATSConfig []byte // of the embedded server, unless Config names a file
	Logger     *slog.Logger
	Stores     Stores // lance.Stores
	// Version of the program, for the other workers of a fleet.
	Version string
	// Unasked says that nobody asks while this runs: what questions are ranked by is indexed by ExtendIndexes alone.
	Unasked bool
	// Reading leaves an existing log's definition as it is, whatever Config says: for those who come to read.
	Reading bool
	// Defining defines the log of an outside cluster, or changes its definition.
	Defining bool
	// Rebuilding, if not nil, allows Open to make tables and state anew from the log where the state was lost or is another
	// version's, and is told how many frames of how many are done.
	Rebuilding func(done, total uint64)
	// AllowDataLoss allows what is made anew to lack rows of frames that the log no longer has.
	AllowDataLoss bool
	// Regardless makes tables anew that cannot even be opened. Otherwise that is an error.
	Regardless bool
}

// Pipeline is a running Assay.
type Pipeline struct {
	opts   Options
	shares budget.Shares
	server *streams.Server // nil with an outside server
	conn   *nats.Conn

	log       *streams.Log
	publisher *streams.Publisher
	store     Store
	embedder  schema.Embedder
	vectors   *embedding.Worker
	view      *query.Local
	extended  atomic.Uint64 // events in traces when indexes were last extended
	looked    struct {      // by upkeep, at how many events there are in traces
		at     time.Time
		events uint64
	}
	gold      *gold.Partitions
	fleet     *fleet.Fleet                        // nil without, and for those who come to read
	edge      string                              // name by which a hub knows this log, "" where it is not forwarded
	forwarder *edge.Forwarder                     // nil without a hub, and for those who come to read
	refused   atomic.Uint64                       // writes, because another worker had taken over
	upkeeps   atomic.Pointer[Store]               // in a fleet, while this worker leads: the store under its epoch
	publishes atomic.Pointer[promotion.Publisher] // likewise
	registry  promotion.Registry                  // nil if none is configured
	promotion *promotion.Publisher
	silver    *silver.Silver
	refining  silver.Options
	stamp     *streams.Stamp
	rebuilt   *rebuild.Result // by Open; nil if it had no reason to

	damaged       []string      // tables that could not be read when they were opened
	stale         string        // how the tables were derived, if the program with its settings would do otherwise
	closeEmbedder func() error  // of a model that the settings name; nil without
	settledTo     atomic.Uint64 // frame up to which everything was folded when that was last asked
	auditing      chan struct{} // holds a token while there is an audit

	figuring sync.Mutex // guards what follows
	figures  *query.Summary
	figured  time.Time

	late    bool          // the store could not be reached when it was to be opened
	reached chan struct{} // closed when the tables are open
	resumed chan struct{} // closed when Start has ended what was interrupted of forgetting

	stop context.CancelFunc // ends what Start started
	done chan struct{}
	err  error // of the group, once done is closed
}

// Open opens everything without processing anything. Unless it fails, Close must be called.
func Open(ctx context.Context, opts Options) (*Pipeline, error) {
	p := &Pipeline{opts: opts, shares: budget.For(opts.Config.Memory), auditing: make(chan struct{}, 1), reached: make(chan struct{})}
	for _, open := range []func(context.Context) error{p.openEmbedder, p.openLog, p.openStore, p.endForgettingAtOnce, p.openConsumers, p.openFleet, p.openForward} {
		if err := open(ctx); err != nil {
			return nil, errors.Join(err, p.Close(context.WithoutCancel(ctx)))
		}
	}
	p.openView()
	return p, nil
}

// View answers questions about what the pipeline holds.
func (p *Pipeline) View() query.View { return p.view }

// openView is called again when Start has made the stored vectors fit the embedder.
func (p *Pipeline) openView() {
	p.view = &query.Local{
		Store: tables{p.store, p.answering}, States: states{p}, Operations: operations{p}, Publications: publications{p.promotion}, Histories: histories{p}, Log: evidence{p},
	}
	if p.embedder.Dimensions() == p.store.Dimensions() {
		p.view.Embedder = p.embedder
	}
}

// Log is the log that the pipeline works on.
func (p *Pipeline) Log() *streams.Log { return p.log }

// storeRoot is the folder or the URL of the LanceDB database.
func (p *Pipeline) storeRoot() string {
	if url := p.opts.Config.Store.URL; url != "" {
		return url
	}
	return filepath.Join(p.opts.Config.Data, storeDir)
}

// swap puts what a rebuild has completed, if one has, in the place of what there is.
func (p *Pipeline) swap(ctx context.Context) error {
	return rebuild.Swap(p.opts.Config.Data, rebuild.Targets{
		Store: p.storeRoot(), Replace: func(from string) error { return p.opts.Stores.Replace(ctx, p.storeRoot(), from) },
	})
}
