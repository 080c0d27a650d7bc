package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"assay/consumers/silver"
	"assay/internal/tables"
)

// auditDerived compares the tables that are views of the state.
func (a *audit) auditDerived(ctx context.Context) error {
	if err := a.gold.FlushAll(ctx); err != nil {
		return fmt.Errorf("audit: write the expected rows: %w", err)
	}
	for _, name := range []string{
		tables.Entities, tables.Episodes, tables.CapabilityMetrics, tables.UsageGraph, tables.Shed,
	} {
		d := &derived{audit: a, window: newWindow(newLayout(name)), tally: Tally{Table: name}}
		var err error
		switch {
		case a.Workflow != "" && !d.has(silver.ColWorkflowID):
			continue // its rows are about all workflows together
		case a.aged.any() && !d.has(silver.ColEntityUUID):
			err = d.passOver(ctx)
		default:
			err = d.run(ctx)
		}
		if err != nil {
			return err
		}
		a.report.Tables = append(a.report.Tables, d.tally)
	}
	return nil
}

// derived compares the rows of one such table.
type derived struct {
	*audit
	*window
	tally Tally
}

// passOver counts the rows of a table whose sums include frames that have left the log.
func (d *derived) passOver(ctx context.Context) error {
	rows, err := d.Store.Count(ctx, d.table.Name, d.where())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	d.tally.Stored, d.tally.Unprovable = uint64(rows), uint64(rows)
	return nil
}

// run compares the table in windows of keys that together cover whatever keys there are.
func (d *derived) run(ctx context.Context) error {
	for from, more := uuid.Nil, true; more; {
		next, err := d.expected.fill(d.window, from)
		if err != nil {
			return err
		}
		more = next != uuid.Nil
		if err := d.compareRange(ctx, from, next); err != nil {
			return err
		}
		d.window.reset()
		from = next
	}
	return nil
}

func (d *derived) compareRange(ctx context.Context, from, next uuid.UUID) error {
	var bounds []tables.Filter
	if from != uuid.Nil {
		bounds = append(bounds, tables.Ge(d.table.Key, from.String()))
	}
	if next != uuid.Nil {
		bounds = append(bounds, tables.Lt(d.table.Key, next.String()))
	}
	count, err := d.compare(ctx, d.Store, d.where(bounds...),
		func(_ int, found *stored, columns []string) { d.found(found.text, found.entity, Different, columns) },
		func(found *stored, _ bool) { d.found(found.text, found.entity, Unexpected, nil) })
	if err != nil {
		return err
	}
	d.tally.Stored += count
	d.tally.Expected += uint64(len(d.rows))
	for _, row := range d.rows {
		if !row.seen {
			d.found(row.key.id.String(), row.about(), Missing, nil)
		}
	}
	return nil
}

func (d *derived) found(key, entity string, finding Finding, columns []string) {
	if d.aged.any() && d.aged.has(entity) {
		d.tally.Unprovable++
		return
	}
	d.report.add(&d.tally, Difference{
		Key: strings.Clone(key), Finding: finding, Columns: columns, entity: strings.Clone(entity),
	}, d.ListMax)
}

// locate says of differences that are about an entity where its first event is in the log.
func (a *audit) locate(ctx context.Context) error {
	about := map[string][]int{}
	for i, d := range a.report.Differences {
		if d.entity != "" {
			about[d.entity] = append(about[d.entity], i)
		}
	}
	entities := slices.Collect(maps.Keys(about))
	for part := range slices.Chunk(entities, lookUpMax) {
		first, err := a.firstFrames(ctx, part)
		if err != nil {
			return err
		}
		for entity, seq := range first {
			for _, i := range about[entity] {
				a.report.Differences[i].BronzeSeq = seq
			}
		}
	}
	return nil
}

// firstFrames returns the least sequence among the rows of traces of each entity.
func (a *audit) firstFrames(ctx context.Context, entities []string) (map[string]uint64, error) {
	reader, err := a.Store.Query(ctx, tables.Query{
		Table: tables.Traces, Columns: []string{silver.ColEntityUUID, silver.ColBronzeSeq},
		Where: tables.In(silver.ColEntityUUID, entities...),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	defer reader.Release()
	type row struct {
		Entity string `col:"entity_uuid"`
		Seq    int64  `col:"bronze_seq"`
	}
	rows, err := tables.Scan[row](reader)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	first := map[string]uint64{}
	for _, r := range rows {
		if known, ok := first[r.Entity]; !ok || uint64(r.Seq) < known {
			first[r.Entity] = uint64(r.Seq)
		}
	}
	return first, nil
}
