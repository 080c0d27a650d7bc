package promotion

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"assay/internal/failpoint"
)

// outcomesWaitingMax bounds how many outcomes wait to be recorded, and with it one commit.
const outcomesWaitingMax = 1024

// outcome is what became of an attempt; revision is that of the entry while leased.
type outcome struct {
	publication *Publication
	revision    uint64
}

// record writes outcomes until dispatch closes their channel. While one commit is written, others gather for the next:
// a merge costs much the same for one row as for many.
func (p *Publisher) record(ctx context.Context) error {
	for first := range p.outcomes {
		batch := []outcome{first}
		for more := true; more && len(batch) < outcomesWaitingMax; {
			select {
			case next, ok := <-p.outcomes:
				if more = ok; ok {
					batch = append(batch, next)
				}
			default:
				more = false
			}
		}
		p.commit(ctx, batch)
	}
	return nil
}

// commit writes the rows, then the entries. If the program stops before the rows are written, the leases tell the next
// life to ask.
func (p *Publisher) commit(ctx context.Context, batch []outcome) {
	rows := make([]*Publication, len(batch))
	for i, o := range batch {
		o.publication.Lease = nil
		rows[i] = o.publication
	}
	if err := p.persist(ctx, "writing the table", func(ctx context.Context) error { return p.merge(ctx, rows) }); err != nil {
		for _, o := range batch {
			p.putBack(o.publication.EventUUID, err)
		}
		return
	}
	failpoint.Point("promotion: recorded, entry stands")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	var entries errgroup.Group
	entries.SetLimit(entriesInFlight)
	for _, o := range batch {
		entries.Go(func() error {
			p.settle(ctx, o)
			return nil
		})
	}
	_ = entries.Wait() // settle deals with each failure
}

// settle writes the outcome to the bucket and gives the publication back to the queue.
func (p *Publisher) settle(ctx context.Context, o outcome) {
	id := o.publication.EventUUID
	if o.publication.State == Published {
		if err := p.delete(ctx, id, o.revision); err != nil {
			p.putBack(id, err)
			return
		}
		p.published.Add(1)
		p.queue.drop(id)
		return
	}
	revision, err := p.update(ctx, o.publication, o.revision)
	if err != nil {
		p.putBack(id, err)
		return
	}
	p.queue.observe(o.publication, revision, false)
	p.queue.release(id)
}

// delete removes the entry. errLost if it is no longer at that revision.
func (p *Publisher) delete(ctx context.Context, id string, revision uint64) error {
	err := p.KV.Purge(ctx, id, append([]jetstream.KVDeleteOpt{jetstream.LastRevision(revision)}, p.markers...)...)
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return errLost
	}
	if err != nil {
		return fmt.Errorf("promotion: delete entry %s: %w", id, err)
	}
	return nil
}
