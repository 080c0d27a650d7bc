package bronze_test

import (
	"strings"
	"testing"

	"assay/consumers/bronze"
	"assay/streams"
)

// TestIntentsFollowTheRequester checks that a request and its answer share an intent, whoever asked, and whether the
// capture knew the sender or not.
func TestIntentsFollowTheRequester(t *testing.T) {
	for name, tt := range map[string]struct {
		message string
		sender  streams.Side
		intent  string
	}{
		"client asks":            {`"id":1,"method":"x"`, streams.SideClient, "s/client/1"},
		"server asks":            {`"id":1,"method":"x"`, streams.SideServer, "s/server/1"},
		"server answers":         {`"id":1,"result":{}`, streams.SideServer, "s/client/1"},
		"client answers":         {`"id":1,"result":{}`, streams.SideClient, "s/server/1"},
		"client fails":           {`"id":1,"error":{"message":"no"}`, streams.SideClient, "s/server/1"},
		"server cancels":         {`"method":"notifications/cancelled","params":{"requestId":1}`, streams.SideServer, "s/server/1"},
		"somebody asks":          {`"id":1,"method":"x"`, "", "s/client/1"},
		"somebody asks client":   {`"id":1,"method":"roots/list"`, "", "s/server/1"},
		"somebody answers":       {`"id":1,"result":{}`, "", "s/client/1"},
		"somebody lists roots":   {`"id":1,"result":{"roots":[]}`, "", "s/server/1"},
		"somebody samples":       {`"id":1,"result":{"role":"a","content":{},"model":"m"}`, "", "s/server/1"},
		"somebody declines":      {`"id":1,"result":{"action":"decline"}`, "", "s/server/1"},
		"somebody acts":          {`"id":1,"result":{"action":"jump"}`, "", "s/client/1"},
		"somebody fails":         {`"id":1,"error":{"message":"no"}`, "", "s/client/1"},
		"nonsense for a side":    {`"id":1,"method":"x"`, "left", "s/client/1"},
		"text for an id":         {`"id":"a/b","method":"x"`, "", `s/client/"a/b"`},
		"number as a text":       {`"id":"1","method":"x"`, "", `s/client/"1"`},
		"empty text for an id":   {`"id":"","method":"x"`, "", `s/client/""`},
		"progress":               {`"method":"notifications/progress","params":{"progressToken":1}`, streams.SideServer, "s/client/1"},
		"fraction for an id":     {`"id":1.5,"method":"x"`, "", "s/client/1.5"},
		"whole fraction":         {`"id":1.0,"method":"x"`, "", "s/client/1"},
		"huge id":                {`"id":12345678901234567890,"method":"x"`, "", "s/client/12345678901234567890"},
		"null for an id":         {`"id":null,"error":{"message":"no"}`, "", ""},
		"object for an id":       {`"id":{},"result":1`, "", ""},
		"notification":           {`"method":"x"`, "", ""},
		"cancellation of naught": {`"method":"notifications/cancelled"`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := frameOf(streams.SourceJSONRPC, "s", []byte(`{"jsonrpc":"2.0",`+tt.message+`}`))
			f.Side = tt.sender
			if e := bronze.Decode(f, 1)[0]; e.IntentID != tt.intent || e.Disposition != bronze.Kept {
				t.Errorf("intent %q of %+v, want %q", e.IntentID, e, tt.intent)
			}
		})
	}
}

// TestEventsOwnTheirStrings checks that nothing but Raw aliases the frame's body, which the log's client may reuse.
func TestEventsOwnTheirStrings(t *testing.T) {
	for _, c := range goldenCases(t) {
		f := frameOf(c.source, c.name, append([]byte(nil), c.body...))
		events := bronze.Decode(f, 1)
		for i := range events {
			events[i].Raw = nil
		}
		before := describe(events)
		copy(f.Body, strings.Repeat("x", len(f.Body)))
		bronze.Decode(frameOf(c.source, c.name, []byte("{\"type\":\"another\"}\n")), 1) // reuses a parser
		if after := describe(events); after != before {
			t.Errorf("%s: events changed with the body", c.name)
		}
	}
}
