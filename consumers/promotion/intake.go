package promotion

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"assay/consumers/silver"
	"assay/internal/failpoint"
	"assay/streams"
)

// Limits of the intake.
const (
	fetchMessagesMax = 512
	entriesInFlight  = 32 // writes of entries at a time, where they go one by one
	// A batch costs as much as some entries by themselves, and the log bounds its size.
	entriesTogetherMin = 24
	entriesBytesMax    = 8 << 20
	redeliveryDelay    = 2 * time.Second // of a message that could not be taken in
)

// arrival is a message whose promotion is valid.
type arrival struct {
	msg         jetstream.Msg
	publication *Publication
}

// consume takes messages in as they come, in batches of what waits.
func (p *Publisher) consume(ctx context.Context) error {
	wait := Backoff{Base: localRetryDelay, Max: localRetryMax}
	for failures := 0; ctx.Err() == nil; {
		batch, err := p.Stream.Fetch(fetchMessagesMax, jetstream.FetchContext(ctx))
		if err == nil {
			err = p.drain(ctx, batch)
		}
		if err == nil || ctx.Err() != nil {
			failures = 0
			continue
		}
		failures++
		p.Logger.Warn("promotion: fetching failed, trying again", "error", err)
		_ = p.pause(ctx, wait.delay(failures)) // the loop sees that ctx ended
	}
	return context.Cause(ctx)
}

// After messages were taken in, the next wait for intakeRest times what it took, and at least for intakeRestMin, unless a whole
// fetch has come or no more do for intakeQuiet: a write to the table and the bucket costs the same for one as for hundreds.
const (
	intakeRest    = 2
	intakeRestMin = 500 * time.Millisecond
	intakeQuiet   = 150 * time.Millisecond
)

// drain takes in what one fetch brings: it waits for a message, then takes all that have come besides while it rested.
func (p *Publisher) drain(ctx context.Context, batch jetstream.MessageBatch) error {
	rest := time.NewTimer(0)
	defer rest.Stop()
	for first := range batch.Messages() {
		msgs := []jetstream.Msg{first}
		for more := true; more; {
			select {
			case msg, ok := <-batch.Messages():
				if more = ok; ok {
					msgs = append(msgs, msg)
				}
			case <-rest.C:
				more = false
			case <-time.After(intakeQuiet):
				more = false
			}
		}
		began := time.Now()
		if err := p.accept(ctx, msgs); err != nil && ctx.Err() == nil {
			p.Logger.Warn("promotion: messages not taken in, they will be delivered again", "error", err)
		}
		rest.Reset(max(intakeRest*time.Since(began), intakeRestMin))
	}
	return batch.Error()
}

// accept moves promotions from the stream to the bucket: first a pending row in the table for those that it has not,
// then the entry, then the acknowledgement. One that the table has as published was delivered again: it is only
// acknowledged. What fails is left to be delivered again.
func (p *Publisher) accept(ctx context.Context, msgs []jetstream.Msg) error {
	arrivals, ids := p.parse(ctx, msgs)
	if len(arrivals) == 0 {
		return nil
	}
	var known map[string]State
	err := p.persist(ctx, "reading the table", func(ctx context.Context) (err error) {
		known, err = p.recorded(ctx, ids)
		return err
	})
	if err != nil {
		return err
	}
	if err := p.admitRows(ctx, arrivals, known); err != nil {
		return err
	}
	failpoint.Point("promotion: row, no entry")
	if p.enterAll(ctx, arrivals, known) == nil {
		return nil
	}
	var entries errgroup.Group // one has its entry from an earlier delivery, perhaps
	entries.SetLimit(entriesInFlight)
	for _, a := range arrivals {
		entries.Go(func() error {
			if known[a.publication.EventUUID] == Published {
				return a.msg.Ack()
			}
			return p.enter(ctx, a)
		})
	}
	return entries.Wait()
}

// parse reads the messages and buries those that are no promotions.
func (p *Publisher) parse(ctx context.Context, msgs []jetstream.Msg) (arrivals []arrival, ids []string) {
	for _, msg := range msgs {
		id := msg.Headers().Get(silver.HeaderEventUUID)
		workflow := streams.UnescapeHeader(msg.Headers().Get(silver.HeaderWorkflow))
		promotion, err := Parse(id, workflow, msg.Data())
		if err != nil {
			p.bury(ctx, msg, id, workflow, err)
			continue
		}
		arrivals = append(arrivals, arrival{msg, newPublication(&promotion, msg.Data(), p.Clock.Now())})
		ids = append(ids, id)
	}
	return arrivals, ids
}

// bury keeps a message that is no promotion with the other dead letters.
func (p *Publisher) bury(ctx context.Context, msg jetstream.Msg, id, workflow string, reason error) {
	var sequence uint64
	if meta, err := msg.Metadata(); err == nil {
		sequence = meta.Sequence.Stream
	}
	err := p.Log.PublishMsgs(ctx, silver.PromotionLetter(workflow, id, reason.Error(), sequence, msg.Data()))
	if err == nil {
		err = msg.Term()
	}
	if err != nil {
		p.Logger.Warn("promotion: dead letter not kept, trying again", "sequence", sequence, "error", err)
		_ = msg.NakWithDelay(redeliveryDelay) // failing that, it is delivered again when the wait for an ack ends
	}
}

// admitRows writes a pending row for each promotion that the table does not know, once.
func (p *Publisher) admitRows(ctx context.Context, arrivals []arrival, known map[string]State) error {
	var missing []*Publication
	seen := map[string]bool{}
	for _, a := range arrivals {
		id := a.publication.EventUUID
		if _, ok := known[id]; !ok && !seen[id] {
			seen[id] = true
			missing = append(missing, a.publication)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	write := p.append // these are new; whoever tries again does not know what of them is there
	return p.persist(ctx, "writing the table", func(ctx context.Context) error {
		err := write(ctx, missing)
		write = p.merge
		return err
	})
}

// errOneByOne means that entries are not written together.
var errOneByOne = errors.New("promotion: entries go one by one")

// enterAll writes the entries of all that the table does not know as published, with one sync, and acknowledges the messages.
// If it fails, the bucket may have all the entries or none.
func (p *Publisher) enterAll(ctx context.Context, arrivals []arrival, known map[string]State) error {
	entries, bytes := make([]streams.Entry, 0, len(arrivals)), 0
	for _, a := range arrivals {
		if known[a.publication.EventUUID] == Published {
			return errOneByOne
		}
		value, err := a.publication.encode()
		if err != nil {
			return err
		}
		entries = append(entries, streams.Entry{Key: a.publication.EventUUID, Value: value})
		bytes += len(value)
	}
	if len(entries) < entriesTogetherMin || bytes > entriesBytesMax {
		return errOneByOne
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	revision, err := p.Log.CreatePublications(ctx, entries)
	if err != nil {
		return err
	}
	for i, a := range arrivals { // before the acknowledgements, so that Busy has no gap
		p.queue.observe(a.publication, revision+uint64(i), false)
	}
	failpoint.Point("promotion: entry, not acknowledged")
	for _, a := range arrivals {
		if err := a.msg.Ack(); err != nil {
			p.Logger.Warn("promotion: acknowledging failed, it will be delivered again", "event", a.publication.EventUUID, "error", err)
		}
	}
	return nil
}

// enter writes the entry and acknowledges the message. An entry that is there already is the promotion's, from an earlier
// delivery.
func (p *Publisher) enter(ctx context.Context, a arrival) error {
	value, err := a.publication.encode()
	if err != nil {
		return err
	}
	revision, err := p.KV.Create(ctx, a.publication.EventUUID, value)
	switch {
	case err == nil:
		p.queue.observe(a.publication, revision, false) // before the acknowledgement, so that Busy has no gap
	case !errors.Is(err, jetstream.ErrKeyExists):
		_ = a.msg.NakWithDelay(redeliveryDelay) // failing that, it is delivered again when the wait for an ack ends
		return fmt.Errorf("promotion: write entry %s: %w", a.publication.EventUUID, err)
	}
	failpoint.Point("promotion: entry, not acknowledged")
	if err := a.msg.Ack(); err != nil {
		return fmt.Errorf("promotion: acknowledge %s: %w", a.publication.EventUUID, err)
	}
	return nil
}
