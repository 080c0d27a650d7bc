package bronze_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"assay/consumers/bronze"
	"assay/kernels"
	"assay/streams"
)

func TestLoadGate(t *testing.T) {
	body := ""
	for i := range 200 {
		body += fmt.Sprintf("data: {\"choices\":[{\"delta\":{\"content\":\"token %d\"}}]}\n\n", i)
	}
	body += "event: ping\ndata: {\"type\":\"ping\"}\n\n" +
		"data: {\"choices\":[{\"delta\":{\"content\":\"end\"},\"finish_reason\":\"stop\"}]}\n\n" +
		"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n" +
		"data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"{}\"}}]}}]}\n\n" +
		"data: [DONE]\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n\ndata: \xff\n\n"
	f := frameOf(streams.SourceSSE, "s", []byte(body))
	for _, threshold := range []float64{0, 0.5, 1} {
		events := bronze.Decode(f, 1)
		shed := bronze.LoadGate(events, threshold)
		count := 0
		for _, e := range events {
			sheddable := e.Position < 201 || e.Kind == bronze.KindRPCProgress
			want := sheddable && kernels.LoadSheds("s", e.Position, e.Text, threshold)
			if got := e.Disposition == bronze.Shed; got != want {
				t.Errorf("threshold %v: %s at %d is %s", threshold, e.Kind, e.Position, e.Disposition)
			}
			if e.Disposition == bronze.Shed {
				count++
			}
		}
		if shed != count || threshold == 0 && shed != 0 || threshold == 1 && shed != 202 {
			t.Errorf("threshold %v: %d shed, %d counted", threshold, shed, count)
		}
	}
}

func TestTokenGate(t *testing.T) {
	fillers := kernels.Contract{DecayThreshold: 1.1, RepairMarker: "^(uh|um)$", MaxLookback: 2}
	const own = `"disfluency_contract":{"decay_threshold":1.1,"repair_marker_regex":"um","max_lookback_window":9}`
	for name, tt := range map[string]struct {
		members string
		opts    []bronze.Option
		want    []string // the buffer in the payload
		removed int
		text    string
	}{
		"own contract": {`"token_buffer":["um","uh","hum"],` + own, nil, []string{"uh"}, 2, "uh"},
		"own before configured": {
			`"token_buffer":["um","uh"],` + own, []bronze.Option{bronze.WithContract(fillers)}, []string{"uh"}, 1, "uh",
		},
		"configured":       {`"token_buffer":["um","a","uh"]`, []bronze.Option{bronze.WithContract(fillers)}, []string{"um", "a"}, 1, "um a"},
		"none":             {`"token_buffer":["um","uh"]`, nil, []string{"um", "uh"}, 0, "um uh"},
		"null contract":    {`"token_buffer":["um"],"disfluency_contract":null`, nil, []string{"um"}, 0, "um"},
		"nothing to prune": {`"token_buffer":["<a>"],` + own, nil, []string{"<a>"}, 0, "<a>"},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"topology_class":"continuous_observation","n":1.50,` + tt.members + `}`
			e := bronze.Decode(frameOf(streams.SourceEvent, "s", []byte(body)), 1, tt.opts...)[0]
			var payload struct {
				Buffer  []string `json:"token_buffer"`
				Removed int      `json:"tokens_removed"`
			}
			if err := json.Unmarshal([]byte(e.Payload), &payload); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(payload.Buffer, tt.want) || payload.Removed != tt.removed || e.Removed != tt.removed || e.Text != tt.text {
				t.Errorf("got %d of %d removed, text %q, payload %s", e.Removed, payload.Removed, e.Text, e.Payload)
			}
			if string(e.Raw) != body {
				t.Errorf("raw is %s", e.Raw)
			}
		})
	}
}

func TestTokenGateLeavesWhatItCannotRead(t *testing.T) {
	for _, members := range []string{``, `,"token_buffer":"uh"`, `,"token_buffer":[1]`, `,"token_buffer":["uh"],"disfluency_contract":{"repair_marker_regex":"("}`} {
		body := `{"topology_class":"continuous_observation"` + members + `}`
		e := bronze.Decode(frameOf(streams.SourceEvent, "s", []byte(body)), 1)[0]
		if e.Disposition != bronze.Kept || e.Payload != body || e.Removed != 0 {
			t.Errorf("%s became %+v", body, e)
		}
		if hasContract := len(members) > 40; hasContract != (e.Error != "") {
			t.Errorf("%s: error %q", body, e.Error)
		}
	}
}
