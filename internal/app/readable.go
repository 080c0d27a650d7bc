package app

import (
	"context"
	"errors"
	"fmt"

	"assay/sovereign/schema"
)

// ErrUnopened means that the tables cannot be opened.
var ErrUnopened = errors.New("the tables cannot be opened")

func unopened(err error, data string) error {
	return fmt.Errorf("%w: %w; if their files are damaged, `assay rebuild --data %s` makes them anew from the log", ErrUnopened, err, data)
}

// readTables reads the first and the last row of each table, and says which cannot be read. Capture goes on all the same, and
// a damaged row in between shows when it is asked for, or in an audit.
func (p *Pipeline) readTables(ctx context.Context) error {
	p.damaged = nil
	for _, t := range schema.All {
		err := p.readEnds(ctx, t.Name)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			p.damaged = append(p.damaged, t.Name)
			p.opts.Logger.Error("a table cannot be read", "table", t.Name, "data", p.opts.Config.Data, "error", err,
				"remedy", "stop, and make the tables anew from the log by `assay rebuild`")
		}
	}
	return nil
}

func (p *Pipeline) readEnds(ctx context.Context, table string) error {
	rows, err := p.store.Count(ctx, table, schema.Filter{})
	if err != nil || rows == 0 {
		return err
	}
	for _, offset := range []int{0, int(rows) - 1} {
		reader, err := p.store.Query(ctx, schema.Query{Table: table, Limit: 1, Offset: offset})
		if err != nil {
			return err
		}
		for reader.Next() {
		}
		err = reader.Err()
		reader.Release()
		if err != nil {
			return err
		}
	}
	return nil
}
