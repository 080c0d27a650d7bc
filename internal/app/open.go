package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"assay/consumers/bronze"
	"assay/consumers/gold"
	"assay/consumers/silver"
	"assay/internal/config"
	"assay/internal/failpoint"
	"assay/internal/ops/embedding"
	"assay/internal/ops/rebuild"
	"assay/internal/price"
	"assay/kernels"
	"assay/sovereign/schema"
	"assay/streams"
)

// Directories inside the data directory.
const (
	stateDir = rebuild.StateDir
	storeDir = rebuild.StoreDir
	auditDir = "audit" // scratch space of an audit
)

// storeBytesMax is no limit: each stream has its own, and a limit on their sum would only keep a log from being opened
// whose limit was raised in an earlier run.
const storeBytesMax = 1 << 60

// openLog starts the embedded server or connects to an outside one, and defines the streams.
func (p *Pipeline) openLog(ctx context.Context) (err error) {
	c := p.opts.Config
	cfg := streams.DefaultConfig()
	cfg.MaxBytes, cfg.MaxAge, cfg.Ring, cfg.Replicas = c.Log.MaxBytes, c.Log.MaxAge, c.Log.Discard == config.DiscardOld, c.Log.Replicas
	cfg.Reading, cfg.AckWait, cfg.Partitions = p.opts.Reading, c.Log.AckWait, c.Log.Partitions
	cfg.Joining = c.NATS.URL != "" && !p.opts.Defining // there streams are defined by `assay fleet`
	cfg.Fleet = p.opts.Defining
	if c.NATS.URL == "" {
		p.server, err = streams.StartServer(ctx, streams.ServerConfig{
			DataDir: c.Data, Config: p.opts.NATSConfig, ConfigFile: c.NATS.Config, Listen: c.NATS.Listen,
			MaxStoreBytes: storeBytesMax, Logger: p.opts.Logger,
		})
		if err != nil {
			return err
		}
		p.conn, err = p.server.Connect()
	} else {
		p.conn, err = p.connect()
	}
	if err != nil {
		return err
	}
	if p.log, err = streams.Open(ctx, p.conn, cfg); err != nil {
		return err
	}
	if c.NATS.URL != "" && !p.log.Fleet() {
		return fmt.Errorf("%w: the log at %s is no fleet's: ingest its sources into one that `assay fleet init` has defined", streams.ErrConfig, c.NATS.URL)
	}
	if p.server != nil { // nobody else consumes what is embedded here
		if err := p.server.BoundMemory(); err != nil {
			p.opts.Logger.Warn("the embedded server keeps more in memory than it need", "error", err)
		}
		if err := p.log.Redeliver(ctx); err != nil {
			return err
		}
	}
	if err := p.reportLoss(ctx); err != nil {
		return err
	}
	p.publisher = p.log.NewPublisher(streams.PublisherConfig{MaxQueueBytes: p.shares.Queue})
	return nil
}

// reportLoss says what the log has lost, and no limit took. It goes on all the same: what comes in must be stored.
func (p *Pipeline) reportLoss(ctx context.Context) error {
	for _, d := range p.log.Damage() {
		p.opts.Logger.Error("the log has lost messages", "stream", d.Stream, "messages", len(d.Sequences), "bytes", d.Bytes,
			"reason", "a checksum failed, or a file was gone, when it was opened",
			"remedy", "restore them from a mirror, or ingest their sources again")
	}
	letters, err := p.log.MissingLetters(ctx)
	if err != nil {
		return err
	}
	if len(letters) > 0 {
		p.opts.Logger.Error("dead letters are missing", "remedy", "stop, and run `assay rebuild`, which writes them again from their frames",
			"stretches", len(letters), "first", letters[0].String(), "last", letters[len(letters)-1].String())
	}
	missing, err := p.log.Missing(ctx)
	if err != nil || len(missing) == 0 {
		return err
	}
	p.opts.Logger.Error("frames are missing from the log", "remedy", "put DIR/log of a mirror or a backup in place, or ingest their"+
		" sources again; the tables still have their rows, so do not rebuild before",
		"stretches", len(missing), "first", missing[0].String(), "last", missing[len(missing)-1].String())
	return nil
}

// connect reaches the outside server. Once connected, it keeps trying to stay so.
func (p *Pipeline) connect() (*nats.Conn, error) {
	options := []nats.Option{nats.Name("assay"), nats.MaxReconnects(-1)}
	if file := p.opts.Config.NATS.Credentials; file != "" {
		options = append(options, nats.UserCredentials(file))
	}
	conn, err := nats.Connect(p.opts.Config.NATS.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("no NATS server at %s: check --nats, or leave it out to embed one: %w", p.opts.Config.NATS.URL, err)
	}
	return conn, nil
}

// openStore opens the tables and the state that they are views of, after it has finished a rebuild whose end was
// interrupted. A state that cannot be used is made anew from the log. What an object store that cannot be reached holds, Start opens.
func (p *Pipeline) openStore(ctx context.Context) error {
	if !p.joins() {
		if err := p.swap(ctx); err != nil {
			return err
		}
	}
	err := p.openTables(ctx)
	if err == nil && !p.late {
		err = p.fillTables(ctx)
	}
	switch {
	case err == nil:
	case p.joins(), !unusable(err) && !(errors.Is(err, ErrUnopened) && p.opts.Regardless):
		return err
	case p.opts.Rebuilding == nil && unusable(err):
		return fmt.Errorf("%w; `assay rebuild --data %s` makes it anew from the log", err, p.opts.Config.Data)
	default:
		p.opts.Logger.Warn("making the tables anew from the log", "reason", err)
		if p.rebuilt, err = p.rebuild(ctx); err != nil {
			return err
		}
	}
	if !p.late {
		close(p.reached)
	}
	return nil
}

// unusable reports whether err says that the state is lost, damaged or another version's, so that it must be made anew. What
// the system refuses, such as room on a full disk or the lock, is none of these and passes.
func unusable(err error) bool {
	if errors.Is(err, gold.ErrStateLost) || errors.Is(err, gold.ErrVersion) {
		return true
	}
	var refused syscall.Errno
	return errors.Is(err, gold.ErrState) && (!errors.As(err, &refused) || refused == syscall.ENOENT)
}

// checkLoss notices a directory that is gone, which opening makes anew, empty: a state that knows nothing although batches
// were folded, and traces without rows although the state has counted some.
func (p *Pipeline) checkLoss(ctx context.Context) error {
	totals := p.gold.Totals()
	if p.gold.Fresh() {
		for _, find := range p.log.GoldConsumers() {
			consumer, err := find(ctx)
			if err != nil {
				return err
			}
			if n := consumer.CachedInfo().AckFloor.Stream; n > 0 {
				return fmt.Errorf("%w: it is empty, and %d batches were folded", gold.ErrStateLost, n)
			}
		}
	}
	kept, err := p.kept(ctx)
	if _, drops := kept[schema.Traces]; err != nil || drops || totals.Traces == 0 {
		return err
	}
	rows, err := p.store.Count(ctx, schema.Traces, schema.Filter{})
	switch {
	case err != nil:
		err = unopened(err, p.opts.Config.Data)
	case rows == 0:
		err = fmt.Errorf("%w: traces is empty, and %d rows were written", gold.ErrStateLost, totals.Traces)
	}
	return err
}

// openTables opens the store, and leaves the states closed.
func (p *Pipeline) openTables(ctx context.Context) error {
	data := p.opts.Config.Data
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	store, err := p.opts.Stores.Open(ctx, p.storeRoot(), p.embedder.Dimensions(), p.shares)
	p.vectors = embedding.New(store, p.embedder, p.opts.Logger) // also without: tables that are made anew wake it
	if err != nil {
		return unopened(err, data) // and p.store stays nil, so that nobody closes what is not there
	}
	p.store, p.late = store, !store.Opened()
	options, err := p.goldOptions(ctx)
	if err != nil {
		return err
	}
	options.Dir, options.Store = filepath.Join(data, stateDir), p.store
	if p.joins() {
		options.Dir = p.statesDir()
	}
	p.gold = gold.NewPartitions(options)
	p.vectors.Exclusive, p.vectors.Renewed = p.gold.BetweenFlushes, p.ensureVectorIndex
	return nil
}

// goldOptions are Gold's options but for where its state and its tables are.
func (p *Pipeline) goldOptions(ctx context.Context) (gold.Options, error) {
	options := gold.DefaultOptions()
	info, err := p.log.Silver().Info(ctx)
	if err != nil {
		return options, fmt.Errorf("read stream SILVER: %w", err)
	}
	options.FetchBytes, options.CacheBytes, options.HoldBytes = p.shares.Fold, p.shares.State, p.shares.Hold
	options.Embedder, options.Logger, options.DeadLetters = p.flushed(), p.opts.Logger, p.log
	options.Fault = func(at gold.FaultPoint) error { failpoint.Point("gold: " + string(at)); return nil }
	options.Epoch = info.Created.UTC().Format(time.RFC3339Nano)
	options.Forgotten = p.log.Forgotten()
	if options.Prices, err = price.New(p.opts.Config.Prices); err != nil {
		return options, err
	}
	options.Partitions = p.log.Partitions()
	options.Late = schema.IsURL(p.storeRoot())
	options.Namespace, err = uuid.Parse(p.opts.Config.Namespace)
	return options, err
}

// openConsumers prepares what processes the log.
func (p *Pipeline) openConsumers(ctx context.Context) error {
	if err := p.openSilver(ctx); err != nil {
		return err
	}
	return p.openPromotion(ctx)
}

func (p *Pipeline) openSilver(ctx context.Context) (err error) {
	if p.refining, err = p.silverOptions(ctx); err != nil {
		return err
	}
	p.silver, err = silver.New(p.refining)
	return err
}

func (p *Pipeline) silverOptions(ctx context.Context) (silver.Options, error) {
	c := p.opts.Config
	options := silver.DefaultOptions()
	keys, err := NaturalKeys(c)
	if err != nil {
		return options, err
	}
	options.Decoder = bronze.NewDecoder(tokenGate(c.Gate)...)
	options.Keys, options.Publisher, options.Logger = keys, publishing{p.log}, p.opts.Logger
	options.Forgotten = p.log.Forgotten()
	options.Workers, options.Partitions = c.Silver.Workers, p.log.Partitions()
	options.MaxRows, options.MaxBytes, options.MaxAge = c.Silver.MaxRows, min(c.Silver.MaxBytes, p.shares.Refine), c.Silver.MaxAge
	options.FetchBytes = p.shares.Refine
	if options.Namespace, err = uuid.Parse(c.Namespace); err != nil {
		return options, err
	}
	options.Trials, err = silver.OpenTrials(ctx, p.log.State())
	return options, err
}

// publishing is the log as Silver publishes to it, which may be killed there.
type publishing struct{ *streams.Log }

// PublishMsgs implements streams.MsgPublisher.
func (r publishing) PublishMsgs(ctx context.Context, msgs ...*nats.Msg) error {
	failpoint.Point("silver: before publish")
	err := r.Log.PublishMsgs(ctx, msgs...)
	failpoint.Point("silver: published, not acknowledged")
	return err
}

// tokenGate are the decoder's options for the token gate of the settings, none without.
func tokenGate(gate config.Gate) []bronze.Option {
	if gate.RepairMarkerRegex == "" {
		return nil
	}
	return []bronze.Option{bronze.WithContract(kernels.Contract{
		DecayThreshold: gate.DecayThreshold, RepairMarker: gate.RepairMarkerRegex, MaxLookback: gate.MaxLookbackWindow,
	})}
}

// NaturalKeys is the table of natural keys: the built-in one with what the settings add.
func NaturalKeys(c config.Config) (*bronze.Keys, error) {
	extra := map[string]bronze.Key{}
	for kind, k := range c.Keys {
		extra[kind] = bronze.Key{Components: k.Components, Exact: k.Exact}
	}
	return bronze.NewKeys(extra)
}
