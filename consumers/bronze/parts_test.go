package bronze_test

import (
	"strings"
	"testing"

	"assay/consumers/bronze"
	"assay/streams"
)

// Of the events of one record as many are kept as the limit says, and the record itself is.
func TestAsManyPartsAsFit(t *testing.T) {
	block := `{"type":"tool_use","id":"c","name":"n","input":{}}`
	for _, over := range []int{0, 1} {
		line := `{"type":"assistant","uuid":"u","sessionId":"s","message":{"id":"m","role":"assistant","content":[` +
			strings.Repeat(block+",", bronze.PartsMax-1+over) + block + `]}}`
		events := bronze.Decode(frameOf(streams.SourceEvent, "s", []byte(line+"\n")), 1)
		if len(events) != 1+bronze.PartsMax || events[0].Disposition != bronze.Kept {
			t.Errorf("with %d more than fit: %d events", over, len(events))
		}
	}
}
