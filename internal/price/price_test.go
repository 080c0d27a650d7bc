package price_test

import (
	"errors"
	"testing"
	"time"

	"assay/internal/price"
)

func day(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return t
}

func table(t *testing.T, over ...price.Price) *price.Table {
	t.Helper()
	prices, err := price.New(over)
	if err != nil {
		t.Fatal(err)
	}
	return prices
}

// TestNamesOfOneModel shows that gateways, regions, versions and spellings do not make another model of one, and that what
// only begins like it is another.
func TestNamesOfOneModel(t *testing.T) {
	prices := table(t)
	for name, dollars := range map[string]float64{ // of a million tokens out
		"gpt-4o": 10, "GPT-4o": 10, "gpt-4o-2024-08-06": 10, "openai/gpt-4o": 10, "gpt-4o-mini": 0.6, "gpt-4o-mini-2024-07-18": 0.6,
		"gpt-4o-2024-05-13": 15, "gpt-4-0613": 60, "gpt-4.1": 8, "gpt-5-chat-latest": 10, "o1": 60, "o1-mini-2024-09-12": 4.4,
		"claude-sonnet-4-20250514": 15, "claude-sonnet-4-0": 15, "claude-sonnet-4@20250514": 15, "anthropic/claude-sonnet-4.5": 15,
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0": 15, "anthropic.claude-3-5-sonnet-20241022-v2:0": 15, "claude-opus-4-1-20250805": 75,
		"claude-opus-4-5-20251101": 25, "claude-sonnet-4-5[1m]": 15, "claude-3-5-haiku-latest": 4,
		"models/gemini-2.5-pro": 10, "gemini-2.5-flash-preview-05-20": 2.5, "gemini-2.0-flash-001": 0.4, "gemini-3-pro-preview": 12,
		"mistral-large-2411": 6, "mistral-large-2512": 1.5, "grok-4-0709": 15, "kimi-k2-0905-preview": -1,
		"gpt-4o-audio-preview": -1, "gpt-4o-realtime": -1, "gpt-oss:20b": -1, "claude-sonnet-4-9": -1, "": -1, "read_file": -1,
		"meta-llama/llama-3.3-70b:free": -1,
	} {
		nanos, ok := prices.Cost(name, day("2026-01-01"), price.Tokens{Input: -1, Cached: -1, Output: 1_000_000})
		if ok != (dollars >= 0) || ok && nanos != int64(dollars*1e9) {
			t.Errorf("%s: %d nanodollars, known %v, want %v dollars", name, nanos, ok, dollars)
		}
	}
}

func TestKindsOfTokens(t *testing.T) {
	prices := table(t)
	for _, test := range []struct {
		model string
		at    string
		price.Tokens
		want int64
	}{
		{"claude-sonnet-4-5", "2026-01-01", price.Tokens{Input: 1000, Cached: 900, Output: 10}, 100*3000 + 900*300 + 10*15000},
		{"claude-sonnet-4-5", "2026-01-01", price.Tokens{Input: 1000, Cached: -1, Output: -1}, 1000 * 3000},
		{"claude-sonnet-4-5", "2026-01-01", price.Tokens{Input: 10, Cached: 900, Output: 0}, 10 * 300}, // more cached than there was
		{"claude-sonnet-4-5", "2026-01-01", price.Tokens{Input: 200_000, Output: 1}, 200_000*3000 + 15000},
		{"claude-sonnet-4-5", "2026-01-01", price.Tokens{Input: 200_001, Output: 1}, 200_001*6000 + 22500},
		{"claude-opus-4-6", "2026-03-12", price.Tokens{Input: 300_000}, 300_000 * 10000},
		{"claude-opus-4-6", "2026-03-13", price.Tokens{Input: 300_000}, 300_000 * 5000}, // no surcharge any more
		{"claude-sonnet-4-5", "2026-01-01", price.Tokens{Input: 1000, Cached: 500, Written: 300, WrittenHour: 100, Output: 1}, 200*3000 + 500*300 + 200*3750 + 100*6000 + 15000},
		{"claude-sonnet-4-5", "2026-01-01", price.Tokens{Input: 1000, Cached: 900, Written: 300, WrittenHour: 300}, 900*300 + 100*6000}, // more than there was
		{"gpt-4o", "2026-01-01", price.Tokens{Input: 1000, Written: 300}, 1000 * 2500},                                                  // no price of its own for what is written
		{"o3", "2025-06-09", price.Tokens{Output: 1}, 40000},
		{"o3", "2025-06-10", price.Tokens{Output: 1}, 8000},
		{"gpt-5-pro", "2026-01-01", price.Tokens{Input: 2, Cached: 1}, 2 * 15000}, // no price of its own for what is cached
		{"deepseek-v4-flash", "2026-01-01", price.Tokens{Input: 1000, Cached: 1000}, 2800},
	} {
		if got, ok := prices.Cost(test.model, day(test.at), test.Tokens); !ok || got != test.want {
			t.Errorf("%s on %s, %+v: %d, want %d", test.model, test.at, test.Tokens, got, test.want)
		}
	}
	if _, ok := prices.Cost("gpt-4o", day("2026-01-01"), price.Tokens{Input: -1, Cached: 5, Output: -1}); ok {
		t.Error("a call without tokens has a price")
	}
	if n, _ := prices.Cost("o1-pro", day("2026-01-01"), price.Tokens{Input: 1 << 62, Output: 1 << 62}); n <= 0 {
		t.Errorf("absurd counts overflow: %d", n)
	}
}

// TestOwnPrices shows that the user's prices replace the built-in ones of a model, all of them.
func TestOwnPrices(t *testing.T) {
	prices := table(t, price.Price{Model: "o3", Input: 1, Output: 2}, price.Price{Model: "house-model", From: "2026-01-01", Output: 1})
	if n, _ := prices.Cost("o3-2025-04-16", day("2026-01-01"), price.Tokens{Output: 1000}); n != 2_000_000 {
		t.Errorf("%d", n)
	}
	if _, ok := prices.Cost("house-model", day("2025-12-31"), price.Tokens{Output: 1}); ok {
		t.Error("a price before it holds")
	}
	for _, wrong := range []price.Price{
		{Input: 1}, {Model: "m", Input: -1}, {Model: "m", Output: 1e9}, {Model: "m", From: "yesterday"}, {Model: "m", Above: -1},
	} {
		if _, err := price.New([]price.Price{wrong}); !errors.Is(err, price.ErrTable) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
}
