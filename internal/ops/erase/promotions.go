package erase

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/promotion"
	"assay/consumers/silver"
	"assay/sovereign/schema"
	"assay/streams"
)

// row is what is read of a promotion.
type row struct {
	ID    string `col:"event_uuid"`
	CID   string `col:"event_cid"`
	State string `col:"state"`
}

// checkPromotions refuses to lose promotions that were accepted and are neither published nor given up.
func (f *forgetting) checkPromotions(ctx context.Context) error {
	if f.abandon {
		return nil
	}
	spellings, err := f.Gold.Spellings(f.report.Workflow)
	if err != nil {
		return err
	}
	f.report.Spellings = append(f.report.Spellings, spellings...)
	found, err := f.promotions(ctx)
	if err != nil {
		return err
	}
	for _, p := range found {
		if p.State == string(promotion.Pending) {
			return fmt.Errorf("%w: %s of %q is not published yet: wait until it is, reject it, or abandon what is pending",
				ErrPending, p.CID, f.report.Workflow)
		}
	}
	return nil
}

func (f *forgetting) promotions(ctx context.Context) ([]row, error) {
	r, err := f.Store.Query(ctx, schema.Query{
		Table: schema.Promotions, Columns: []string{"event_uuid", "event_cid", "state"}, Where: f.ofWorkflow(),
	})
	if err != nil {
		return nil, fmt.Errorf("forget: read %s: %w", schema.Promotions, err)
	}
	defer r.Release()
	rows, err := schema.Scan[row](r)
	if err != nil {
		return nil, fmt.Errorf("forget: read %s: %w", schema.Promotions, err)
	}
	return rows, nil
}

func (f *forgetting) ofWorkflow() schema.Filter {
	return schema.In("workflow_id", append(f.report.Spellings, f.report.Workflow)...)
}

// forgetPromotions removes what waits in the stream, then the entries, then the rows: the rows tell which entries there are.
func (f *forgetting) forgetPromotions(ctx context.Context) error {
	for _, spelling := range append(f.report.Spellings, f.report.Workflow) {
		subject := "promotion." + streams.EscapeToken(spelling)
		if err := f.Log.Promotion().Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return fmt.Errorf("forget: purge %s: %w", subject, err)
		}
	}
	found, err := f.promotions(ctx)
	if err != nil {
		return err
	}
	for _, p := range found {
		if err := f.dropEntry(ctx, p); err != nil {
			return err
		}
	}
	f.report.Promotions = len(found)
	if err := f.Store.Delete(ctx, schema.Promotions, f.ofWorkflow()); err != nil {
		return fmt.Errorf("forget: delete from %s: %w", schema.Promotions, err)
	}
	return nil
}

// dropEntry removes an entry of the bucket, unless an attempt to publish it is under way, whose outcome would bring the row
// back.
func (f *forgetting) dropEntry(ctx context.Context, p row) error {
	entry, err := f.Log.Publications().Get(ctx, p.ID)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("forget: read the entry of promotion %s: %w", p.CID, err)
	}
	var pub promotion.Publication
	if json.Unmarshal(entry.Value(), &pub) == nil && pub.Lease != nil && pub.Lease.Until.After(time.Now()) {
		return fmt.Errorf("%w: %s; try again in a moment", ErrBusy, p.CID)
	}
	err = f.Log.Publications().Purge(ctx, p.ID, jetstream.LastRevision(entry.Revision()))
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return fmt.Errorf("%w: %s; try again in a moment", ErrBusy, p.CID)
	}
	if err != nil {
		return fmt.Errorf("forget: drop the entry of promotion %s: %w", p.CID, err)
	}
	return nil
}

// forgetLetters erases dead letters. Those of frames that were captured since stay. Of frames that were written again,
// letters come again.
func (f *forgetting) forgetLetters(ctx context.Context) error {
	name := normalForm(f.report.Workflow)
	var letters []uint64
	for m, err := range streams.Scan(ctx, f.Log.Dead(), streams.ReplayOptions{HeadersOnly: true}) {
		if err != nil {
			return err
		}
		seq, _ := strconv.ParseUint(m.Header.Get(silver.HeaderBronzeSeq), 10, 64) // none in a letter of another origin
		since := seq > f.report.Through || seq == 0 && m.Time.After(f.report.At)
		own := normalForm(streams.UnescapeHeader(m.Header.Get(silver.HeaderWorkflow))) == name && !since
		if own || f.moved[seq] {
			letters = append(letters, m.Seq)
		}
	}
	erased, err := f.Log.EraseLetters(ctx, letters)
	f.report.Letters = erased
	return err
}
