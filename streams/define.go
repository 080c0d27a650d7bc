package streams

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// streamDefinition is a stream and what it differs in from the others.
type streamDefinition struct {
	into  *jetstream.Stream
	name  string
	apply func(*jetstream.StreamConfig)
}

// streams defines the streams.
//
// BRONZE is the truth and keeps its frames. SILVER and PROMOTION are buffers: a work queue keeps a message until its
// consumer has acknowledged it, also while there is no consumer, and then frees the space; full, they refuse, so that
// nothing that is not processed yet is dropped and the writer waits. DEAD drops its oldest letters when full, because
// processing goes on whatever happens; their frames are in BRONZE.
func (l *Log) streams() []streamDefinition {
	all := []streamDefinition{
		{&l.bronze, StreamBronze, func(s *jetstream.StreamConfig) {
			if len(s.Subjects) == 0 { // it is new
				setPartitions(s, l.cfg.Partitions, l.fleet)
			}
			s.Subjects = []string{"bronze.>"}
			s.MaxBytes, s.MaxAge = l.cfg.MaxBytes, l.cfg.MaxAge
			s.MaxMsgSize = frameBytesMax
			if l.cfg.Ring {
				s.Discard = jetstream.DiscardOld
			}
			if l.cfg.Compress {
				s.Compression = jetstream.S2Compression
			}
		}},
		{&l.silver, StreamSilver, func(s *jetstream.StreamConfig) {
			s.Subjects = []string{silverSubjects}
			s.MaxBytes, s.Retention = silverBytesMax, jetstream.WorkQueuePolicy
		}},
		{&l.dead, StreamDead, func(s *jetstream.StreamConfig) {
			s.Subjects = []string{"dead.>"}
			s.MaxBytes, s.Discard = deadBytesMax, jetstream.DiscardOld
		}},
		{&l.promotion, StreamPromotion, func(s *jetstream.StreamConfig) {
			s.Subjects = []string{"promotion.>"}
			s.MaxBytes, s.Retention = promotionBytesMax, jetstream.WorkQueuePolicy
		}},
	}
	if l.fleet {
		all = append(all, l.journalDefinition())
	}
	return all
}

func (l *Log) openStreams(ctx context.Context) error {
	l.damage = nil
	if err := l.findFleet(ctx); err != nil {
		return err
	}
	for _, def := range l.streams() {
		stream, err := l.define(ctx, def.name, func(s *jetstream.StreamConfig) {
			was := *s
			if def.name == StreamBronze && l.was.Name == "" { // else it was changed by an earlier attempt
				l.was = was
			}
			s.Storage = jetstream.FileStorage
			s.Replicas = l.cfg.Replicas
			s.Retention = jetstream.LimitsPolicy
			s.Discard = jetstream.DiscardNew
			s.MaxAge = 0
			s.Compression = jetstream.NoCompression
			s.Duplicates = l.cfg.DuplicateWindow
			s.AllowDirect = true
			s.AllowAtomicPublish = true
			s.PersistMode = jetstream.DefaultPersistMode // async would override sync_interval
			def.apply(s)
		})
		if err != nil {
			return err
		}
		*def.into = stream
	}
	if err := l.readPartitions(); err != nil {
		return err
	}
	if !l.bronze.CachedInfo().Config.AllowAtomicPublish {
		return fmt.Errorf("%w: server %s has no atomic batch publishing; use nats-server 2.15.2 or later", ErrConfig,
			l.nc.ConnectedServerVersion())
	}
	return nil
}

// define creates the stream, or updates it if applying the definition to what it is changes anything.
func (l *Log) define(ctx context.Context, name string, apply func(*jetstream.StreamConfig)) (jetstream.Stream, error) {
	stream, err := l.js.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound) && l.cfg.Joining:
		return nil, fmt.Errorf("%w: there is no stream %s", ErrUndefined, name)
	case errors.Is(err, jetstream.ErrStreamNotFound):
		cfg := jetstream.StreamConfig{Name: name}
		apply(&cfg)
		stream, err = l.js.CreateStream(ctx, cfg)
	case err == nil && !l.cfg.asItIs():
		was := stream.CachedInfo().Config
		cfg := was
		cfg.Metadata = maps.Clone(was.Metadata)
		apply(&cfg)
		if held := stream.CachedInfo().State.Bytes; cfg.Discard == jetstream.DiscardNew && held > uint64(cfg.MaxBytes) {
			return nil, fmt.Errorf("%w: %s holds %d bytes, and a limit of %d would drop the oldest: raise log.max_bytes, or set"+
				" log.discard: old, which drops them", ErrConfig, name, held, cfg.MaxBytes)
		}
		if !reflect.DeepEqual(was, cfg) {
			stream, err = l.js.UpdateStream(ctx, cfg)
		}
	}
	if err != nil {
		return nil, refused("stream "+name, err)
	}
	return stream, l.noteDamage(ctx, stream)
}

// noteDamage asks for the stream's details, because the server leaves losses out of the short answer.
func (l *Log) noteDamage(ctx context.Context, stream jetstream.Stream) error {
	info, err := stream.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return fmt.Errorf("streams: state of %s: %w", stream.CachedInfo().Config.Name, err)
	}
	if lost := info.State.Lost; lost != nil {
		l.damage = append(l.damage, Damage{Stream: info.Config.Name, Sequences: lost.Msgs, Bytes: lost.Bytes})
	}
	return nil
}

// openConsumers defines the durable consumers.
func (l *Log) openConsumers(ctx context.Context) error {
	for _, def := range l.consumers() {
		if l.cfg.asItIs() {
			if _, err := def.stream.Consumer(ctx, def.name); !errors.Is(err, jetstream.ErrConsumerNotFound) {
				if err != nil {
					return refused("consumer "+def.name, err)
				}
				continue
			}
		}
		_, err := def.stream.CreateOrUpdateConsumer(ctx, l.consumerConfig(def.name, def.filter))
		if err != nil {
			return refused("consumer "+def.name, err)
		}
	}
	return nil
}

// markerTTL is how long a bucket remembers that a key was deleted, so that one that is empty does not grow.
const markerTTL = time.Hour

// bucketDefinition is a bucket and its limit.
type bucketDefinition struct {
	into     *jetstream.KeyValue
	name     string
	maxBytes int64
}

func (l *Log) buckets() []bucketDefinition {
	all := []bucketDefinition{
		{&l.publications, BucketPublications, publicationsBytesMax},
		{&l.state, BucketState, stateBytesMax},
		{&l.tombstones, BucketForgotten, forgottenBytesMax},
	}
	if l.fleet {
		all = append(all, bucketDefinition{&l.members, BucketMembers, stateBytesMax}, bucketDefinition{&l.owners, BucketOwners, stateBytesMax})
	}
	return all
}

func (l *Log) openBuckets(ctx context.Context) error {
	for _, def := range l.buckets() {
		kv, err := l.openBucket(ctx, def.name, def.maxBytes)
		if err != nil {
			return refused("bucket "+def.name, err)
		}
		*def.into = kv
	}
	return nil
}

// bucketStream begins the name of a bucket's stream.
const bucketStream = "KV_"

// openBucket opens a bucket, which it makes if it is not there, and changes only where its definition is another one: a kill while
// the server writes a definition may leave it damaged.
func (l *Log) openBucket(ctx context.Context, name string, maxBytes int64) (jetstream.KeyValue, error) {
	kv, err := l.js.KeyValue(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrBucketNotFound) && l.cfg.Joining:
		return nil, fmt.Errorf("%w: there is no bucket %s", ErrUndefined, name)
	case errors.Is(err, jetstream.ErrBucketNotFound):
		kv, err = l.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket:   name,
			History:  1,
			MaxBytes: maxBytes,
			Storage:  jetstream.FileStorage,
			Replicas: l.cfg.Replicas,

			LimitMarkerTTL: markerTTL,
		})
	}
	if err != nil || l.cfg.asItIs() {
		return kv, err
	}
	_, err = l.define(ctx, bucketStream+name, func(s *jetstream.StreamConfig) {
		s.MaxBytes, s.Replicas = maxBytes, max(l.cfg.Replicas, 1)
		s.AllowMsgTTL, s.SubjectDeleteMarkerTTL = true, markerTTL
		s.AllowAtomicPublish = name == BucketPublications
	})
	return kv, err
}
