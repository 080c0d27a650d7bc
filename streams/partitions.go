package streams

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

// PartitionsMax is the greatest number of partitions that a log may have: each has a consumer and a state of its own.
const PartitionsMax = 256

// Keys of BRONZE's metadata.
const (
	metaPartitions = "assay.partitions" // their number; a log without it has one
	metaFleet      = "assay.fleet"      // the log is a fleet's
	metaID         = "assay.id"         // tells the log from any other
	metaStore      = "assay.store"      // id of a fleet's store
	metaState      = "assay.state"      // version of a fleet's states
)

// Partitions is into how many parts the log is divided by workflow (kernels.Partition). It never changes.
func (l *Log) Partitions() int { return l.partitions }

// ID tells this log from any other. One of an earlier version has it from when it was made.
func (l *Log) ID() string { return l.id }

// StoreID is the id of the store that belongs to a fleet's log, "" if it names none.
func (l *Log) StoreID() string { return l.bronze.CachedInfo().Config.Metadata[metaStore] }

// StateVersion is the version of the states in STATE, "" if the log does not tell.
func (l *Log) StateVersion() string { return l.bronze.CachedInfo().Config.Metadata[metaState] }

// NameStore has the log name its store, and the version of its states.
func (l *Log) NameStore(ctx context.Context, id, state string) error {
	stream, err := l.define(ctx, StreamBronze, func(s *jetstream.StreamConfig) {
		if s.Metadata == nil {
			s.Metadata = map[string]string{}
		}
		s.Metadata[metaStore], s.Metadata[metaState] = id, state
	})
	if err == nil {
		l.bronze = stream
	}
	return err
}

func idOf(info *jetstream.StreamInfo) string {
	if id := info.Config.Metadata[metaID]; id != "" {
		return id
	}
	return uuid.NewSHA1(uuid.Nil, []byte(info.Created.UTC().Format(time.RFC3339Nano))).String()
}

// setPartitions writes its id and the number of partitions into the definition of a new BRONZE.
func setPartitions(s *jetstream.StreamConfig, n int, fleet bool) {
	s.Metadata = map[string]string{metaID: uuid.NewString()}
	if n > 1 {
		s.Metadata[metaPartitions] = strconv.Itoa(n)
	}
	if fleet {
		s.Metadata[metaFleet] = "1"
	}
}

// readPartitions reads the log's id and their number from the definition, and compares it with the one asked for.
func (l *Log) readPartitions() (err error) {
	l.id = idOf(l.bronze.CachedInfo())
	if l.partitions, err = partitionsOf(&l.bronze.CachedInfo().Config); err != nil {
		return err
	}
	if asked := l.cfg.Partitions; asked > 0 && asked != l.partitions {
		return fmt.Errorf("%w: the log is divided into %d partitions, and that cannot be changed to %d: leave the number out, or begin"+
			" a new log and ingest again", ErrConfig, l.partitions, asked)
	}
	return nil
}

func partitionsOf(s *jetstream.StreamConfig) (int, error) {
	text := s.Metadata[metaPartitions]
	if text == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > PartitionsMax {
		return 0, fmt.Errorf("%w: metadata %s of %s is %q, which is no number of partitions", ErrConfig, metaPartitions, StreamBronze, text)
	}
	return n, nil
}

// silverSubjects are those of SILVER.
const silverSubjects = "silver.>"

// silverSubject is where on SILVER the batches of a partition go.
func silverSubject(partition int) string { return "silver." + strconv.Itoa(partition) }

// goldName is the durable consumer of a partition.
func (l *Log) goldName(partition int) string {
	if l.partitions == 1 && !l.fleet {
		return ConsumerGold
	}
	return ConsumerGold + "-" + strconv.Itoa(partition)
}

// GoldConsumer is the durable consumer of a partition of SILVER.
func (l *Log) GoldConsumer(ctx context.Context, partition int) (jetstream.Consumer, error) {
	return consumer(ctx, l.silver, l.goldName(partition))
}

// GoldConsumers are those of all partitions.
func (l *Log) GoldConsumers() (all []func(context.Context) (jetstream.Consumer, error)) {
	for n := range l.partitions {
		all = append(all, func(ctx context.Context) (jetstream.Consumer, error) { return l.GoldConsumer(ctx, n) })
	}
	return all
}

// consumerDefinition is a durable consumer and what it takes.
type consumerDefinition struct {
	stream jetstream.Stream
	name   string
	filter string // "": everything
}

// consumers are the durable consumers. All acknowledge each message by itself: workers share them, and a work queue takes nothing
// else.
func (l *Log) consumers() []consumerDefinition {
	all := []consumerDefinition{{l.bronze, ConsumerSilver, ""}, {l.promotion, ConsumerPromotion, ""}}
	if l.fleet { // whoever takes a partition over makes its consumer anew
		return all
	}
	for n := range l.partitions {
		filter := ""
		if l.partitions > 1 {
			filter = silverSubject(n)
		}
		all = append(all, consumerDefinition{l.silver, l.goldName(n), filter})
	}
	return all
}

// consumerConfig is how a durable consumer takes what fits the filter.
func (l *Log) consumerConfig(name, filter string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: name, FilterSubject: filter, AckPolicy: jetstream.AckExplicitPolicy, AckWait: l.cfg.AckWait, MaxAckPending: l.cfg.MaxAckPending,
	}
}
