package promotion

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"assay/sovereign/schema"
)

// recoverMax is how many rows Recover writes at a time.
const recoverMax = 512

// Recover writes the rows of what the bucket has and the table does not, for a table that was lost. Nobody may publish
// meanwhile. It returns how many rows it wrote.
func Recover(ctx context.Context, kv jetstream.KeyValue, store schema.Store) (rows int, err error) {
	entries, err := kv.ListKeys(ctx)
	if err != nil {
		return 0, fmt.Errorf("promotion: list the bucket: %w", err)
	}
	defer func() { _ = entries.Stop() }() // the server forgets it anyway
	var ids []string
	for id := range entries.Keys() {
		ids = append(ids, id)
	}
	p := &Publisher{Options: Options{KV: kv, Store: store}}
	for part := range slices.Chunk(ids, recoverMax) {
		written, err := p.recover(ctx, part)
		if rows += written; err != nil {
			return rows, err
		}
	}
	return rows, ctx.Err()
}

// recover does so for some entries.
func (p *Publisher) recover(ctx context.Context, ids []string) (rows int, err error) {
	known, err := p.recorded(ctx, ids)
	if err != nil {
		return 0, err
	}
	var lost []*Publication
	for _, id := range ids {
		if _, ok := known[id]; ok {
			continue
		}
		publication, _, err := p.entry(ctx, id)
		if err != nil {
			return 0, err
		}
		lost = append(lost, publication)
	}
	if len(lost) == 0 {
		return 0, nil
	}
	return len(lost), p.merge(ctx, lost)
}
