package streams

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A fleet keeps what the owner of each partition commits to its state in the stream STATE, on state.<p>, commit by commit, so that
// whoever takes the partition over has the state as it was committed last.
//
//	begin of epoch 4 │ commit │ commit (3 parts) │ … │ begin of epoch 5 │ commit │ …
//
// Each record is published only if it follows the last one that its writer knows. So the record with which an epoch begins shuts
// out the owner before: its next commit is refused, however long it slept.

// Headers of a record.
const (
	headerEpoch = "Assay-Epoch"
	headerParts = "Assay-Parts" // how many more records the commit has
)

const (
	// journalPartBytes bounds the body of a record, and so fits into the largest message of any sensible cluster.
	journalPartBytes = 8 << 20
	// journalTimeout is how long a commit is tried while the log does not answer, as during an election.
	journalTimeout = 30 * time.Second
	// journalBytesLeast bounds STATE where BRONZE is small; else it may have as many bytes as BRONZE: states take up to a third of what
	// their frames do, and thrice as much before and while they are written anew.
	journalBytesLeast = 1 << 30
)

func stateSubject(partition int) string { return "state." + strconv.Itoa(partition) }

func (l *Log) journalDefinition() streamDefinition {
	return streamDefinition{&l.journal, StreamState, func(s *jetstream.StreamConfig) {
		s.Subjects = []string{"state.>"}
		s.MaxBytes = max(l.cfg.MaxBytes, journalBytesLeast)
		s.AllowDirect = false // what is read of it, the leader must know
	}}
}

// findFleet finds out whether the log is a fleet's, before anything is opened.
func (l *Log) findFleet(ctx context.Context) error {
	stream, err := l.js.Stream(ctx, StreamBronze)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		l.fleet = l.cfg.Fleet
		return nil
	case err != nil:
		return refused("stream "+StreamBronze, err)
	}
	l.fleet = stream.CachedInfo().Config.Metadata[metaFleet] != ""
	if l.cfg.Fleet && !l.fleet {
		return fmt.Errorf("%w: this cluster has a log that is no fleet's: ingest its sources into a new one", ErrConfig)
	}
	return nil
}

// Defined tells whether a server has a log already.
func Defined(ctx context.Context, nc *nats.Conn) (bool, error) {
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return false, fmt.Errorf("streams: %w", err)
	}
	_, err = retry(ctx, openTimeout, func(ctx context.Context) (jetstream.Stream, error) { return js.Stream(ctx, StreamBronze) })
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Fleet tells whether the log is shared by several workers.
func (l *Log) Fleet() bool { return l.fleet }

// Members is the bucket of the workers that live, Owners that of who owns which partition. Only a fleet's log has them.
func (l *Log) Members() jetstream.KeyValue { return l.members }

// Owners is the bucket of who owns which partition.
func (l *Log) Owners() jetstream.KeyValue { return l.owners }

// Journal writes what the owner of a partition commits. It may be used by several goroutines; commits of one come in their order.
type Journal struct {
	log       *Log
	partition int
	epoch     uint64

	mu     sync.Mutex
	last   uint64 // sequence of the partition's last record
	number uint64 // of records of this epoch
	bytes  uint64 // of them
	failed error
}

// BeginEpoch begins an epoch of a partition after the record with sequence last. It fails with ErrFenced if there is a later one.
func (l *Log) BeginEpoch(ctx context.Context, partition int, epoch, last uint64) (*Journal, error) {
	j := &Journal{log: l, partition: partition, epoch: epoch, last: last}
	return j, j.put(ctx, nil, 0)
}

// Bytes is how much was written in this epoch.
func (j *Journal) Bytes() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes
}

// Append stores a commit, durably, and returns the sequence of its last record. Once it has failed it goes on failing, since
// nobody knows what is stored: the partition has to be taken over anew. Errors wrap ErrFenced if another epoch has begun.
func (j *Journal) Append(commit []byte) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return 0, j.failed
	}
	ctx, cancel := context.WithTimeout(context.Background(), journalTimeout)
	defer cancel()
	parts := (len(commit) + journalPartBytes - 1) / journalPartBytes
	for more := parts - 1; more >= 0; more-- {
		size := min(len(commit), journalPartBytes)
		if err := j.put(ctx, commit[:size], more); err != nil {
			j.failed = err
			return 0, err
		}
		commit = commit[size:]
	}
	return j.last, nil
}

// put publishes one record after the last.
func (j *Journal) put(ctx context.Context, body []byte, more int) error {
	j.number++
	id := fmt.Sprintf("%d/%d/%d", j.partition, j.epoch, j.number)
	msg := nats.NewMsg(stateSubject(j.partition))
	msg.Header.Set(headerEpoch, strconv.FormatUint(j.epoch, 10))
	msg.Header.Set(headerParts, strconv.Itoa(more))
	msg.Data = body
	ack, err := retry(ctx, journalTimeout, func(ctx context.Context) (*jetstream.PubAck, error) {
		return j.log.js.PublishMsg(ctx, msg, jetstream.WithMsgID(id), jetstream.WithExpectLastSequencePerSubject(j.last))
	})
	if err == nil {
		j.last = ack.Sequence
		j.bytes += uint64(len(body))
		return nil
	}
	if !IsConflict(err) {
		return fmt.Errorf("streams: write the journal of partition %d: %w", j.partition, err)
	}
	// An answer may have been lost: then the last record is this one.
	last, lastErr := j.log.journal.GetLastMsgForSubject(ctx, stateSubject(j.partition))
	if lastErr == nil && last.Header.Get(nats.MsgIdHdr) == id {
		j.last = last.Sequence
		return nil
	}
	return fmt.Errorf("%w: partition %d has a later epoch than %d: %w", ErrFenced, j.partition, j.epoch, errors.Join(err, ignoreMissing(lastErr)))
}

func ignoreMissing(err error) error {
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	return err
}

// JournalEnd returns the sequence of the last record of a partition and the epoch that it is of, zeros if there is none.
func (l *Log) JournalEnd(ctx context.Context, partition int) (seq, epoch uint64, err error) {
	last, err := l.journal.GetLastMsgForSubject(ctx, stateSubject(partition))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("streams: read the journal of partition %d: %w", partition, err)
	}
	return last.Sequence, parseUint(last.Header.Get(headerEpoch), 0), nil
}

// JournalCrowded tells whether the states of all partitions have filled the half of STATE, so that what is needed no more must go.
func (l *Log) JournalCrowded(ctx context.Context) (bool, error) {
	info, err := ask(ctx, func(ctx context.Context) (*jetstream.StreamInfo, error) { return l.journal.Info(ctx) })
	if err != nil {
		return false, fmt.Errorf("streams: read stream %s: %w", StreamState, err)
	}
	return info.State.Bytes > uint64(info.Config.MaxBytes)/2, nil
}

// JournalBegan tells the journal of one fleet from any other: when it was made.
func (l *Log) JournalBegan() time.Time { return l.journal.CachedInfo().Created }

// PurgeJournal drops the records of a partition up to a sequence.
func (l *Log) PurgeJournal(ctx context.Context, partition int, upTo uint64) error {
	err := l.journal.Purge(ctx, jetstream.WithPurgeSubject(stateSubject(partition)), jetstream.WithPurgeSequence(upTo+1))
	if err != nil {
		return fmt.Errorf("streams: purge the journal of partition %d: %w", partition, err)
	}
	return nil
}

// ReadJournal passes the commits of a partition after a sequence to use, in order, each with the sequence of its last record.
// It ends behind the record upTo, or with follow goes on as commits come, until ctx ends. What an owner did not write to its end is left
// out.
func (l *Log) ReadJournal(
	ctx context.Context, partition int, after, upTo uint64, follow bool, use func(commit []byte, seq uint64) error,
) error {
	if !follow && upTo <= after {
		return nil
	}
	var parts []byte
	var epoch string
	for m, err := range Scan(ctx, l.journal, ReplayOptions{
		Subjects: []string{stateSubject(partition)}, FromSeq: after + 1, ToSeq: upTo, Follow: follow,
	}) {
		if err != nil {
			return err
		}
		if now := m.Header.Get(headerEpoch); now != epoch {
			parts, epoch = nil, now // an owner before did not get further
		}
		parts = append(parts, m.Data...)
		if m.Header.Get(headerParts) != "0" {
			continue
		}
		if err := use(parts, m.Seq); err != nil {
			return err
		}
		parts = nil
	}
	return nil
}

// metaEpoch is the key of a consumer's metadata under which its owner's epoch is.
const metaEpoch = "assay.epoch"

// TakeOver gives a partition's owner in an epoch a consumer of its own of SILVER: that of the owner before ends. It fails with ErrFenced
// if the consumer is that of a later owner.
func (l *Log) TakeOver(ctx context.Context, partition int, epoch uint64) (jetstream.Consumer, error) {
	name := l.goldName(partition)
	was, err := l.silver.Consumer(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
	case err != nil:
		return nil, refused("consumer "+name, err)
	case parseUint(was.CachedInfo().Config.Metadata[metaEpoch], 0) > epoch:
		return nil, fmt.Errorf("%w: the consumer %s is of a later epoch than %d", ErrFenced, name, epoch)
	default:
		if err := l.silver.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, fmt.Errorf("streams: end the consumer %s: %w", name, err)
		}
	}
	config := l.consumerConfig(name, silverSubject(partition))
	config.Metadata = map[string]string{metaEpoch: strconv.FormatUint(epoch, 10)}
	c, err := l.silver.CreateConsumer(ctx, config)
	if err != nil {
		return nil, refused("consumer "+name, err)
	}
	return c, nil
}
