package streams

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Names of the streams, their durable consumers and the key-value buckets.
const (
	StreamBronze    = "BRONZE"
	StreamSilver    = "SILVER"
	StreamDead      = "DEAD"
	StreamPromotion = "PROMOTION"
	StreamState     = "STATE" // of a fleet: what the owners of partitions have committed

	ConsumerSilver    = "silver"    // on BRONZE
	ConsumerGold      = "gold"      // on SILVER; of a log with several partitions gold-0, gold-1, …
	ConsumerPromotion = "promotion" // on PROMOTION
	ConsumerForward   = "forward"   // on BRONZE, of an edge

	BucketPublications = "publications" // promotions that wait for their next attempt
	BucketState        = "state"        // small checkpoints
	BucketForgotten    = "forgotten"    // tombstones of workflows
	BucketMembers      = "members"      // of a fleet: the workers that live
	BucketOwners       = "owners"       // of a fleet: who owns which partition
)

// FetchBytesMax is what a consumer should ask for at a time (jetstream.FetchMaxBytes). It is above the largest message,
// so that none blocks the consumer, and below what the server lets wait for one client (max_pending).
const FetchBytesMax = 32 << 20

// frameBytesMax is the largest message that BRONZE takes, whoever publishes it, headers included. One that did not fit into a
// fetch would hold its consumer up for ever.
const frameBytesMax = FetchBytesMax - 64<<10

const (
	// requestTimeout limits a request to the log's API where the caller's context sets no earlier end.
	requestTimeout = 10 * time.Second
	// openTimeout is how long Open retries each of its steps, as a cluster that is starting has no leader yet.
	openTimeout = 30 * time.Second
)

// Log is the log: streams, consumers and buckets, defined as this version of Assay wants them.
type Log struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	cfg    Config
	was    jetstream.StreamConfig // of BRONZE, before Open changed it
	damage []Damage

	id         string
	partitions int
	fleet      bool

	bronze, silver, dead, promotion jetstream.Stream
	publications, state, tombstones jetstream.KeyValue
	journal                         jetstream.Stream // of a fleet, else nil, as are:
	members, owners                 jetstream.KeyValue
	forgotten                       Forgotten
	buried                          atomic.Uint64 // last tombstone that CheckForgotten has seen

	tallying sync.Mutex // one count at a time
	tally    atomic.Pointer[Tally]
}

// Damage tells of messages that the server found unreadable when it recovered a stream, and left out. What depends on
// the log must say so loudly: they were acknowledged once.
type Damage struct {
	Stream    string
	Sequences []uint64 // may be fewer than were lost: the end of a damaged block is lost unseen
	Bytes     uint64
}

// Open creates what the log lacks, changes what differs from cfg and can be changed, and reports damage found by the
// server (see Log.Damage). It can be called any number of times, by any number of processes. The connection stays the
// caller's.
//
// What an operator has set besides (placement, metadata, …) is kept. A difference that cannot be mended is an error that
// wraps ErrConfig and says which stream has it.
func Open(ctx context.Context, nc *nats.Conn, cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc,
		jetstream.WithDefaultTimeout(requestTimeout), jetstream.WithPublishAsyncTimeout(attemptTimeout))
	if err != nil {
		return nil, fmt.Errorf("streams: open: %w", err)
	}
	l := &Log{nc: nc, js: js, cfg: cfg}
	for _, step := range []func(context.Context) error{l.openStreams, l.openConsumers, l.openBuckets, l.loadForgotten} {
		_, err := retry(ctx, openTimeout, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, step(ctx)
		})
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Damage lists what the server found damaged, per stream; it is empty in good times.
func (l *Log) Damage() []Damage { return l.damage }

// JetStream is the client that the log uses.
func (l *Log) JetStream() jetstream.JetStream { return l.js }

// Bronze is the stream of frames.
func (l *Log) Bronze() jetstream.Stream { return l.bronze }

// Silver is the stream of Arrow batches between Silver and Gold. A message goes once Gold has acknowledged it.
func (l *Log) Silver() jetstream.Stream { return l.silver }

// Dead is the stream of what could not be decoded.
func (l *Log) Dead() jetstream.Stream { return l.dead }

// Promotion is the stream of promotions. A message goes once the promotion consumer has acknowledged it.
func (l *Log) Promotion() jetstream.Stream { return l.promotion }

// Publications is the bucket of promotions that wait for their next attempt.
func (l *Log) Publications() jetstream.KeyValue { return l.publications }

// State is the bucket of small checkpoints.
func (l *Log) State() jetstream.KeyValue { return l.state }

// SilverConsumer is the durable consumer of BRONZE. Any number of workers may share it.
func (l *Log) SilverConsumer(ctx context.Context) (jetstream.Consumer, error) {
	return consumer(ctx, l.bronze, ConsumerSilver)
}

// PromotionConsumer is the durable consumer of PROMOTION. Any number of workers may share it.
func (l *Log) PromotionConsumer(ctx context.Context) (jetstream.Consumer, error) {
	return consumer(ctx, l.promotion, ConsumerPromotion)
}

// MessageBytesMax is the size of the largest frame that the log takes, headers included.
func (l *Log) MessageBytesMax() int { return int(min(l.nc.MaxPayload(), frameBytesMax)) }

func consumer(ctx context.Context, stream jetstream.Stream, name string) (jetstream.Consumer, error) {
	c, err := ask(ctx, func(ctx context.Context) (jetstream.Consumer, error) { return stream.Consumer(ctx, name) })
	if err != nil {
		return nil, fmt.Errorf("streams: consumer %s: %w", name, err)
	}
	return c, nil
}

// refused marks what the server answered as a configuration that it will not have; other errors pass as they are.
func refused(what string, err error) error {
	if api := (jetstream.JetStreamError)(nil); errors.As(err, &api) && api.APIError() != nil {
		if noRoom(err) {
			return fmt.Errorf("%w: no room for %s: raise max_file_store of the NATS servers or lower log.max_bytes: %w", ErrConfig, what, err)
		}
		if transient(err) {
			return fmt.Errorf("%w: %s: %w", ErrUnavailable, what, err)
		}
		return fmt.Errorf("%w: %s exists otherwise or cannot be had: change the setting back, or remove %[2]s: %w",
			ErrConfig, what, err)
	}
	return fmt.Errorf("streams: %s: %w", what, err)
}
