package rebuild

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/nats-io/nats.go"

	"assay/internal/tables"
)

// knownMax is how many promotions are asked about at a time.
const knownMax = 500

// knownPromotions returns which of the promotions the old table has.
func (b *build) knownPromotions(ctx context.Context, msgs map[string]*nats.Msg) (map[string]bool, error) {
	known := map[string]bool{}
	ids := slices.Sorted(maps.Keys(msgs))
	for part := range slices.Chunk(ids, knownMax) {
		err := b.readOld(ctx, tables.Query{
			Table: tables.Promotions, Columns: []string{"event_uuid"}, Where: tables.In("event_uuid", part...),
		}, func(r array.RecordReader) error {
			type row struct {
				ID string `col:"event_uuid"`
			}
			rows, err := tables.Scan[row](r)
			for _, found := range rows {
				known[found.ID] = true
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// carryPromotions copies the rows of promotions: what became of each, the registry knows and the log does not.
func (b *build) carryPromotions(ctx context.Context) error {
	if b.Trial {
		return nil
	}
	// An earlier attempt may have copied them.
	if err := b.store.Delete(ctx, tables.Promotions, tables.Filter{}); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return b.readOld(ctx, tables.Query{Table: tables.Promotions}, func(r array.RecordReader) error {
		for r.Next() {
			if err := b.store.Append(ctx, tables.Promotions, r.Record()); err != nil {
				return err
			}
		}
		return r.Err()
	})
}

func (b *build) readOld(ctx context.Context, q tables.Query, use func(array.RecordReader) error) error {
	reader, err := b.Old.Query(ctx, q)
	if err == nil {
		defer reader.Release()
		err = use(reader)
	}
	if err != nil {
		return fmt.Errorf("%w: read %s: %w", ErrStore, q.Table, err)
	}
	return nil
}
