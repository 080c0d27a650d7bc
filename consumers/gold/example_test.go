package gold_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cockroachdb/pebble/v2/vfs"

	"assay/consumers/bronze"
	"assay/consumers/gold"
	"assay/consumers/silver"
	"assay/internal/embed"
	"assay/sovereign/schema"
	"assay/streams"
)

// An answer that comes in two frames is one entity, and a turn of its workflow, however often a frame comes again.
func Example() {
	if err := foldAnAnswer(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// append traces: 2 rows
	// append traces: 1 rows
	// append entities: 1 rows
	// append episodes: 1 rows
	// 3 events, 1 entities
	// message ok "Hello, world"
}

func foldAnAnswer(ctx context.Context) error {
	options := gold.DefaultOptions()
	options.Dir, options.FS = "state", vfs.NewMem() // a directory, and the disk
	options.Store, options.Embedder, options.Logger = printed{}, embed.Hashing{}, slog.New(slog.DiscardHandler)
	g, err := gold.Open(ctx, options)
	if err != nil {
		return err
	}
	defer g.Close()

	first := `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello, "}}` + "\n\n" +
		`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"world"}}` + "\n\n"
	for seq, body := range []string{first, first, `data: {"type":"message_stop"}` + "\n\n"} {
		record, err := refine(body, seq > 1)
		if err != nil {
			return err
		}
		err = g.Apply(ctx, []gold.Batch{{Seq: uint64(seq + 1), Record: record}})
		record.Release()
		if err != nil {
			return err
		}
	}
	if err := g.FlushAll(ctx); err != nil {
		return err
	}
	fmt.Printf("%d events, %d entities\n", g.Totals().Events, g.Totals().Entities)
	turns, _, err := g.Conversation(ctx, "wf-1", gold.Turns{Limit: 10, MaxBytes: 1 << 20})
	for _, e := range turns {
		fmt.Printf("%s %s %q\n", e.Kind, e.Status, e.Text)
	}
	return err
}

// refine makes rows of Silver of a frame, the first of its stream or the one after that.
func refine(body string, second bool) (arrow.Record, error) {
	frame := &streams.Frame{
		Source: streams.SourceSSE, ContentType: streams.ContentSSE, Workflow: "wf-1", Stream: "answer-1", Count: 2, Body: []byte(body),
	}
	if second {
		frame.Position, frame.Count = 2, 1
	}
	by := silver.DefaultOptions()
	by.Decoder, by.Keys = bronze.NewDecoder(), &bronze.Keys{}
	batch := by.NewBatch()
	defer batch.Release()
	msg := frame.Msg()
	for _, e := range by.Events(streams.Message{Subject: msg.Subject, Header: msg.Header, Data: msg.Data, Seq: 1}) {
		batch.Append(&e)
	}
	return batch.Record()
}

// printed is a store that prints what it is told and keeps nothing.
type printed struct{ schema.Store }

func (printed) Append(_ context.Context, table string, rows arrow.Record) error {
	fmt.Printf("append %s: %d rows\n", table, rows.NumRows())
	return nil
}

func (printed) Merge(_ context.Context, table string, rows arrow.Record) error {
	fmt.Printf("merge %s: %d rows\n", table, rows.NumRows())
	return nil
}

func (printed) Count(context.Context, string, schema.Filter) (int64, error) { return 0, nil }
