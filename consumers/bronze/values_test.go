package bronze_test

import (
	"strings"
	"testing"

	"assay/consumers/bronze"
	"assay/streams"
)

// A record may have as many values as the limit says, and any number of commas in its texts.
func TestAsManyValuesAsFit(t *testing.T) {
	const most = 1 << 21
	for name, record := range map[string]string{
		"values": `{"type":"t","x":[` + strings.Repeat("0,", most-4) + `0]}`,
		"texts":  `{"type":"t","x":"` + strings.Repeat(`,[\",`, most) + `"}`,
	} {
		for _, e := range bronze.Decode(frameOf(streams.SourceEvent, "s", []byte(record+"\n")), 1) {
			if e.Disposition != bronze.Kept || e.Kind != "t" {
				t.Errorf("%s: %s %s", name, e.Disposition, e.Reason)
			}
		}
	}
}

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
