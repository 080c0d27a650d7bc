package gold

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"assay/internal/price"
	"assay/streams"
)

// TestCostsOfCalls shows that a call costs what the table says of all its tokens, however its events come, that what a source
// tells goes before that, and that metrics and the workflow's summary are the sums.
func TestCostsOfCalls(t *testing.T) {
	prices, err := price.New([]price.Price{{Model: "model-a", Input: 10, Cached: 1, Output: 100}, {Model: "model-c", Input: 10, Output: 100}})
	if err != nil {
		t.Fatal(err)
	}
	const told, computed = 0.0123, (100*1 + 1400*10 + 30*100) / 1e6
	k := newTalk()
	k.asks("x1", `{"model":"model-a","messages":[{"role":"user","content":"one"}]}`)
	k.says("x1",
		`{"type":"message_start","message":{"model":"model-a","usage":{"input_tokens":1400,"cache_read_input_tokens":100,"output_tokens":1}}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":30}}`, `{"type":"message_stop"}`)
	k.asks("x2", `{"model":"model-c","messages":[{"role":"user","content":"two"}]}`)
	k.answers("x2", `{"model":"model-c","choices":[{"index":0,"message":{"content":"there"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":5,"cost":0.0123}}`)
	k.asks("x3", `{"model":"model-b","messages":[{"role":"user","content":"three"}]}`)
	k.answers("x3", `{"model":"model-b","choices":[{"index":0,"message":{"content":"again"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":5}}`)
	rapid.Check(t, func(t *rapid.T) {
		frames := rapid.Permutation(append(slices.Clone(k.frames), rapid.SampledFrom(k.frames).Draw(t, "again"))).Draw(t, "order")
		store := newMemory()
		opts := testOptions(store)
		opts.Prices = prices
		g := open(t, opts)
		defer g.Close()
		k.deliver(t, g, frames, rapid.IntRange(1, len(frames)).Draw(t, "together"))
		h := hearOf(t, g, store)
		for intent, want := range map[string]float64{"x1": computed, "x2": told, "x3": -1} {
			for _, e := range h.entities {
				if e.IntentID == intent && e.CostUSD != want {
					t.Errorf("%s costs %v, want %v", intent, e.CostUSD, want)
				}
			}
		}
		for m, err := range g.Metrics() {
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]float64{"model-a": computed, "model-b": -1, "model-c": told}[m.Capability]; m.CostUSD != want {
				t.Errorf("calls of %s cost %v, want %v", m.Capability, m.CostUSD, want)
			}
		}
	})
}

// TestSumsOutliveTheTableOfPrices shows that a sum is not off when a call changes after the prices did.
func TestSumsOutliveTheTableOfPrices(t *testing.T) {
	k := newTalk()
	k.says("x1", `{"type":"message_start","message":{"model":"model-a","usage":{"input_tokens":1000,"output_tokens":1}}}`)
	k.says("x1", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":30}}`)
	store := newMemory()
	opts := testOptions(store)
	for i, frame := range k.frames {
		prices, err := price.New([]price.Price{{Model: "model-a", Input: float64(1 + i), Output: float64(10 * (1 + i))}})
		if err != nil {
			t.Fatal(err)
		}
		opts.Prices = prices
		g := open(t, opts)
		record := refined(t, []*streams.Frame{frame})
		if err := g.Apply(t.Context(), []Batch{{Seq: uint64(i + 1), Record: record}}); err != nil {
			t.Fatal(err)
		}
		record.Release()
		if i == 1 {
			for m, err := range g.Metrics() {
				if err != nil || m.CostUSD != (1000*2+30*20)/1e6 {
					t.Errorf("%v costs %v: %v", m.Capability, m.CostUSD, err)
				}
			}
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
