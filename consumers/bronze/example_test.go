package bronze_test

import (
	"fmt"

	"assay/consumers/bronze"
	"assay/streams"
)

func ExampleDecode() {
	frame := &streams.Frame{
		Source: streams.SourceSSE, ContentType: streams.ContentSSE, Workflow: "wf-1", Stream: "answer-1", Count: 3,
		Body: []byte("event: content_block_delta\n" +
			`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}` + "\n\n" +
			"event: message_stop\n" +
			`data: {"type":"message_stop"}` + "\n\n" +
			"data: {\xff}\n\n"),
	}
	for _, e := range bronze.Decode(frame, 1) {
		fmt.Printf("%d %s %s %q %q\n", e.Position, e.Disposition, e.Kind, e.Text, e.Reason)
	}
	// Output:
	// 0 kept text_delta "Hello" ""
	// 1 kept message_end "" ""
	// 2 kept sse_event "{�}" ""
}

func ExampleKeys() {
	keys, err := bronze.NewKeys(map[string]bronze.Key{"ticket": {Components: []string{"capability"}, Exact: true}})
	if err != nil {
		panic(err)
	}
	fmt.Println(keys.Components(nil, &bronze.Event{Kind: "observation", IntentID: "intent-1", WorkflowID: "wf-1"}))
	fmt.Println(keys.Components(nil, &bronze.Event{Kind: "ticket", Capability: "Open"}))
	// Output:
	// [intent-1 wf-1] false
	// [Open] true
}
