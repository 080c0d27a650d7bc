package streams

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// scanFetch is how many messages a scan asks for at a time at most, scanBytes about how many bytes.
	scanFetch = 500
	scanBytes = 4 << 20
	// scanWait limits the wait for them. They are there already, unless the scan follows the stream.
	scanWait = 5 * time.Second
	// scanIdle is after how long the server forgets a scan whose reader is busy elsewhere; it then starts anew where it was.
	scanIdle = time.Minute
	// scanStallsMax is how often in a row a scan may start anew without getting anything.
	scanStallsMax = 5
)

// ReplayOptions select messages of a stream, for Replay and Scan. The zero value selects all that there are.
type ReplayOptions struct {
	Subjects    []string  // filters that do not overlap; none: every subject
	FromSeq     uint64    // first sequence; 0: the stream's first
	ToSeq       uint64    // last sequence; 0: the last when the scan starts
	From        time.Time // when the log stored the first message, at the earliest; zero: any. Not with FromSeq.
	To          time.Time // when the log stored the last message, at the latest; zero: any
	HeadersOnly bool      // leave the bodies out
	Follow      bool      // go on with messages as they arrive, until the context or the range ends
}

// Message is a message of a stream, as it is stored.
type Message struct {
	Subject string
	Header  nats.Header
	Data    []byte
	Bytes   int // of the body, also where HeadersOnly leaves it out
	Seq     uint64
	Time    time.Time // when the log stored it, in UTC
}

// MessageOf is a message that was read by itself.
func MessageOf(m *jetstream.RawStreamMsg) Message {
	return Message{Subject: m.Subject, Header: m.Header, Data: m.Data, Bytes: len(m.Data), Seq: m.Sequence, Time: m.Time}
}

// Scan reads messages of BRONZE or DEAD in the order of their sequence, and takes nothing off the stream. (A work queue
// such as SILVER has no second reader.) An error ends it; it wraps ErrConfig if the options are at fault, ErrUnavailable
// if the log stopped answering, or is the context's.
func Scan(ctx context.Context, stream jetstream.Stream, opts ReplayOptions) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends a fetch that the reader has left
		left := false  // a reader who has left is told nothing, not even that the context has ended since
		err := scan(ctx, stream, opts, func(m Message) bool {
			left = !yield(m, nil)
			return !left
		})
		if err != nil && !left {
			yield(Message{}, err)
		}
	}
}

// scan starts a consumer, and another one where it stopped whenever it stalls, until the range is read.
func scan(ctx context.Context, stream jetstream.Stream, opts ReplayOptions, yield func(Message) bool) error {
	if !opts.From.IsZero() && opts.FromSeq > 0 {
		return fmt.Errorf("%w: a scan starts at a sequence or at a time, not both", ErrConfig)
	}
	if opts.ToSeq == 0 && !opts.Follow {
		info, err := stream.Info(ctx)
		if err != nil {
			return scanError(err)
		}
		opts.ToSeq = info.State.LastSeq
	}
	for stalls := 0; ; stalls++ {
		if opts.ToSeq != 0 && opts.FromSeq > opts.ToSeq || opts.ToSeq == 0 && !opts.Follow {
			return nil
		}
		last, done, err := scanOnce(ctx, stream, opts, yield)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case done:
			return nil
		case errors.Is(err, ErrConfig):
			return err
		case last > 0:
			opts.FromSeq, opts.From = last+1, time.Time{}
			stalls = 0
		case stalls == scanStallsMax:
			return fmt.Errorf("%w: reading stopped before sequence %d: %w", ErrUnavailable, opts.FromSeq, err)
		}
	}
}

// errStalled is why a consumer that has messages gives none.
var errStalled = errors.New("no messages arrive")

// scanOnce reads with one consumer until the range ends (done) or the consumer fails. last is the sequence of the last
// message that was passed on, 0 if there was none.
func scanOnce(ctx context.Context, stream jetstream.Stream, opts ReplayOptions, yield func(Message) bool) (
	last uint64, done bool, err error) {

	consumer, err := stream.CreateConsumer(ctx, opts.consumer())
	if err != nil {
		return 0, false, scanError(err)
	}
	defer forget(ctx, stream, consumer.CachedInfo().Name)
	pending := consumer.CachedInfo().NumPending
	if pending == 0 && !opts.Follow {
		return 0, true, nil
	}
	size := FetchSize{Bytes: scanBytes, Max: scanFetch}
	for delivered := uint64(0); ; {
		batch, err := fetch(ctx, consumer, int(max(1, min(uint64(size.Messages()), pending))))
		if err != nil {
			return last, false, err
		}
		if len(batch) == 0 {
			if err := stalled(ctx, consumer, delivered, opts.Follow); err != nil {
				return last, false, err
			}
		}
		size.Got(len(batch), bytesOf(batch))
		for _, msg := range batch {
			meta, err := msg.Metadata()
			if delivered++; err != nil || meta.Sequence.Consumer != delivered {
				return last, false, errStalled // one got lost on the way
			}
			m := message(msg, meta)
			if opts.past(m) || !yield(m) {
				return last, true, nil
			}
			last, pending = m.Seq, meta.NumPending
			if last == opts.ToSeq || pending == 0 && !opts.Follow {
				return last, true, nil
			}
		}
	}
}

// stalled returns errStalled if nothing came although something should have: always, unless the scan follows the stream. Then
// the server knows: what it sent just as a wait ended got lost, and no later message may come that shows it.
func stalled(ctx context.Context, consumer jetstream.Consumer, delivered uint64, follows bool) error {
	if !follows {
		return errStalled
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return err
	}
	if info.Delivered.Consumer != delivered {
		return errStalled
	}
	return nil
}

// fetch waits for n messages and returns those that came: fewer, if they are large or the wait is over.
func fetch(ctx context.Context, consumer jetstream.Consumer, n int) ([]jetstream.Msg, error) {
	wait, cancel := context.WithTimeout(ctx, scanWait)
	defer cancel()
	batch, err := consumer.Fetch(n, jetstream.FetchMaxBytes(FetchBytesMax), jetstream.FetchContext(wait))
	if err != nil {
		return nil, err
	}
	var msgs []jetstream.Msg
	for msg := range batch.Messages() {
		msgs = append(msgs, msg)
	}
	if wait.Err() != nil {
		return msgs, ctx.Err() // the wait is over, which is no error, or the caller's time
	}
	if len(msgs) == 0 {
		return nil, batch.Error()
	}
	return msgs, nil
}

func bytesOf(msgs []jetstream.Msg) (n int) {
	for _, msg := range msgs {
		n += len(msg.Data())
	}
	return n
}

func (o ReplayOptions) consumer() jetstream.ConsumerConfig {
	cfg := jetstream.ConsumerConfig{
		FilterSubjects:    o.Subjects,
		AckPolicy:         jetstream.AckNonePolicy,
		HeadersOnly:       o.HeadersOnly,
		InactiveThreshold: scanIdle,
		MemoryStorage:     true,
		Replicas:          1,
	}
	switch {
	case o.FromSeq > 0:
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, o.FromSeq
	case !o.From.IsZero():
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &o.From
	}
	return cfg
}

// past reports whether m lies beyond the range.
func (o ReplayOptions) past(m Message) bool {
	return o.ToSeq != 0 && m.Seq > o.ToSeq || !o.To.IsZero() && m.Time.After(o.To)
}

func message(msg jetstream.Msg, meta *jetstream.MsgMetadata) Message {
	m := Message{
		Subject: msg.Subject(), Header: msg.Headers(), Data: msg.Data(), Bytes: len(msg.Data()),
		Seq: meta.Sequence.Stream, Time: meta.Timestamp.UTC(),
	}
	if size := parseUint(m.Header.Get(nats.MsgSize), 0); size > 0 {
		m.Bytes = int(size)
	}
	return m
}

// forget removes a scan's consumer. If that fails, the server does so by itself after scanIdle.
func forget(ctx context.Context, stream jetstream.Stream, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), scanWait)
	defer cancel()
	_ = stream.DeleteConsumer(ctx, name)
}

// scanError tells a refusal of what was asked for from the log being away.
func scanError(err error) error {
	if code := errorCode(err); code != 0 && !transient(err) {
		return fmt.Errorf("%w: scan: %w", ErrConfig, err)
	}
	return fmt.Errorf("streams: scan: %w", err)
}
