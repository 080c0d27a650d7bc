package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"assay/consumers/silver"
	"assay/sovereign/schema"
)

// derivedTables are views of the state.
var derivedTables = []string{schema.Entities, schema.Episodes, schema.CapabilityMetrics, schema.UsageGraph, schema.Shed}

// auditDerived compares the tables that are views of the state.
func (a *audit) auditDerived(ctx context.Context) error {
	if err := a.gold.FlushAll(ctx); err != nil {
		return fmt.Errorf("audit: write the expected rows: %w", err)
	}
	for _, name := range derivedTables {
		d := &derived{audit: a, layout: newLayout(name), tally: Tally{Table: name}}
		if a.Workflow != "" && !d.ofWorkflow() {
			continue // its rows are about all workflows together
		}
		if err := d.run(ctx); err != nil {
			return err
		}
		a.report.Tables = append(a.report.Tables, d.tally)
	}
	return nil
}

// derived compares the rows of one table with what the log says, both in the order of their ids.
type derived struct {
	*audit
	*layout
	tally Tally
}

func (d *derived) run(ctx context.Context) error {
	want, err := d.expected.scan(keyExpected, d.table.Name)
	if err != nil {
		return err
	}
	have, err := d.expected.scan(keyStored, d.table.Name)
	if err != nil {
		return errors.Join(err, want.close())
	}
	for (want.ok || have.ok) && ctx.Err() == nil {
		switch order := bytes.Compare(want.id[:], have.id[:]); {
		case !have.ok || want.ok && order < 0:
			d.found(&want.row, Missing, nil)
			d.tally.Expected++
			want.next()
		case !want.ok || order > 0:
			d.unexpected(have)
		default:
			d.compare(want, have)
		}
	}
	return errors.Join(ctx.Err(), want.close(), have.close())
}

// compare compares two rows of one id; further ones of it should not be.
func (d *derived) compare(want, have *rows) {
	if columns := d.differing(want.words, have.words); len(want.words) > 0 && len(columns) > 0 {
		d.found(&have.row, Different, columns)
	}
	d.tally.Expected++
	d.tally.Stored++
	have.next()
	for have.ok && have.id == want.id {
		d.unexpected(have)
	}
	want.next()
}

func (d *derived) unexpected(have *rows) {
	d.found(&have.row, Unexpected, nil)
	d.tally.Stored++
	have.next()
}

func (d *derived) found(r *row, finding Finding, columns []string) {
	if d.aged.any() && !d.provable(r, finding) {
		d.tally.Unprovable++
		return
	}
	d.report.add(&d.tally, Difference{Key: r.key(), Finding: finding, Columns: columns, entity: r.entity}, d.ListMax)
}

// provable reports whether a finding stands although frames have left the log.
func (d *derived) provable(r *row, finding Finding) bool {
	switch {
	case d.table.Name == schema.Promotions: // one that the log still has must be there
		return finding != Unexpected
	case d.ofEntity():
		return !d.aged.has(r.entity)
	default: // sums over all that ever came
		return false
	}
}

// locate says of differences that are about an entity, or a promotion, where its first event is in the log.
func (a *audit) locate(ctx context.Context) error {
	entities, events := map[string][]int{}, map[string][]int{}
	for i, d := range a.report.Differences {
		switch {
		case d.entity != "":
			entities[d.entity] = append(entities[d.entity], i)
		case d.Table == schema.Promotions:
			events[d.Key] = append(events[d.Key], i)
		}
	}
	return errors.Join(a.locateBy(ctx, silver.ColEntityUUID, entities), a.locateBy(ctx, silver.ColEventUUID, events))
}

// locateBy does so by a column of traces that has the ids which differences are about.
func (a *audit) locateBy(ctx context.Context, column string, about map[string][]int) error {
	for part := range slices.Chunk(slices.Collect(maps.Keys(about)), lookUpMax) {
		first, err := a.firstFrames(ctx, column, part)
		if err != nil {
			return err
		}
		for id, seq := range first {
			for _, i := range about[id] {
				a.report.Differences[i].BronzeSeq = seq
			}
		}
	}
	return nil
}

// firstFrames returns the least sequence among the rows of traces of each id.
func (a *audit) firstFrames(ctx context.Context, column string, ids []string) (map[string]uint64, error) {
	reader, err := a.Store.Query(ctx, schema.Query{
		Table: schema.Traces, Columns: []string{column, silver.ColBronzeSeq}, Where: schema.In(column, ids...),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	defer reader.Release()
	type row struct {
		Entity string `col:"entity_uuid"`
		Event  string `col:"event_uuid"`
		Seq    int64  `col:"bronze_seq"`
	}
	rows, err := schema.Scan[row](reader)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	first := map[string]uint64{}
	for _, r := range rows {
		id := r.Entity + r.Event // one of them was asked for
		if known, ok := first[id]; !ok || uint64(r.Seq) < known {
			first[id] = uint64(r.Seq)
		}
	}
	return first, nil
}
