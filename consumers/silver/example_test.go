package silver_test

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/consumers/bronze"
	"assay/consumers/silver"
	"assay/streams"
)

// What Run makes of a frame of BRONZE can be found out without a log: its events, each with its identities, as rows.
func ExampleOptions_Events() {
	frame := &streams.Frame{
		Source: streams.SourceSSE, ContentType: streams.ContentSSE, Workflow: "wf-1", Stream: "answer-1", Count: 2,
		Body: []byte(`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}` + "\n\n" +
			`data: {"type":"message_stop"}` + "\n\n"),
	}
	options := silver.DefaultOptions()
	options.Decoder, options.Keys = bronze.NewDecoder(), &bronze.Keys{}
	batch := options.NewBatch()
	defer batch.Release()
	msg := frame.Msg()
	for _, e := range options.Events(streams.Message{Subject: msg.Subject, Header: msg.Header, Data: msg.Data, Seq: 1}) {
		batch.Append(&e)
	}
	record, err := batch.Record()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer record.Release()
	column := func(name string) *array.String {
		return record.Column(record.Schema().FieldIndices(name)[0]).(*array.String)
	}
	entity := record.Column(record.Schema().FieldIndices(silver.ColEntityUUID)[0])
	for row := range int(record.NumRows()) {
		fmt.Printf("%s %q, of the first entity: %t\n", column(silver.ColKind).Value(row), column(silver.ColText).Value(row),
			entity.ValueStr(row) == entity.ValueStr(0))
	}
	// Output:
	// text_delta "Hello", of the first entity: true
	// message_end "", of the first entity: true
}
