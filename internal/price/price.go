// Package price tells what a call of a model costs, by a table of prices for each model and kind of token.
//
// What a call costs is a function of the table, the model's name, the time of the call and its token counts alone, in whole
// billionths of a US dollar, so that sums do not depend on their order.
package price

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ErrTable means that a price cannot be used.
var ErrTable = errors.New("price: a price cannot be used")

// Price is what the tokens of a model cost from a day on, in US dollars for a million of them.
type Price struct {
	Model       string  `koanf:"model"  json:"model"`           // as providers name it; dates, regions and gateways before and after it do not matter
	From        string  `koanf:"from"   json:"from,omitempty"`  // the first day, in UTC, as 2026-03-13; empty: from the beginning
	Above       int64   `koanf:"above"  json:"above,omitempty"` // for calls with more input tokens than that
	Input       float64 `koanf:"input"  json:"input"`
	Cached      float64 `koanf:"cached" json:"cached,omitempty"`             // input that was read from a cache; 0: as other input
	Written     float64 `koanf:"written" json:"written,omitempty"`           // input that was written to a cache; 0: as other input
	WrittenHour float64 `koanf:"written_hour" json:"written_hour,omitempty"` // and is kept there for an hour; 0: as other that was written
	Output      float64 `koanf:"output" json:"output"`                       // reasoning included
}

// Tokens are those of one call. Counts below 0 are unknown.
type Tokens struct {
	Input       int64 // Cached and Written included
	Cached      int64
	Written     int64 // WrittenHour included
	WrittenHour int64
	Output      int64 // reasoning included
}

// Table holds prices by model. Its zero value knows none.
type Table struct{ models map[string][]price }

// price is a Price as it is computed with: in billionths of a dollar for a thousand tokens, which is a whole number for all that
// is charged.
type price struct {
	from                  int64 // microseconds since 1970
	above                 int64
	input, cached, output int64
	written, hour         int64
}

// New returns the built-in table with other prices over it: those of a model replace all built-in ones of it. Errors wrap
// ErrTable.
func New(over []Price) (*Table, error) {
	t := &Table{models: map[string][]price{}}
	for _, p := range builtin {
		if err := t.add(p); err != nil {
			return nil, err
		}
	}
	for _, p := range over {
		delete(t.models, canonical(p.Model))
	}
	for _, p := range over {
		if err := t.add(p); err != nil {
			return nil, err
		}
	}
	for _, prices := range t.models {
		slices.SortStableFunc(prices, func(a, b price) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.above, b.above)) })
	}
	return t, nil
}

// Digest tells the table that New returns from others.
func Digest(over []Price) string {
	text, err := json.Marshal([][]Price{builtin, over})
	if err != nil {
		panic(err) // texts and numbers that settings hold always marshal
	}
	digest := sha1.Sum(text)
	return hex.EncodeToString(digest[:])
}

// perMillionMax bounds a price, in US dollars for a million tokens.
const perMillionMax = 1e6

func (t *Table) add(p Price) error {
	model := canonical(p.Model)
	if model == "" {
		return fmt.Errorf("%w: it names no model", ErrTable)
	}
	for _, dollars := range []float64{p.Input, p.Cached, p.Written, p.WrittenHour, p.Output} {
		if !(dollars >= 0 && dollars <= perMillionMax) {
			return fmt.Errorf("%w: %s: %v is not between 0 and %v dollars for a million tokens", ErrTable, p.Model, dollars, perMillionMax)
		}
	}
	if p.Above < 0 {
		return fmt.Errorf("%w: %s: above is %d, not a number of tokens", ErrTable, p.Model, p.Above)
	}
	from := int64(math.MinInt64)
	if p.From != "" {
		day, err := time.Parse(time.DateOnly, p.From)
		if err != nil {
			return fmt.Errorf("%w: %s: from is %q, not a day such as 2026-03-13", ErrTable, p.Model, p.From)
		}
		from = day.UnixMicro()
	}
	p.Cached, p.Written = cmp.Or(p.Cached, p.Input), cmp.Or(p.Written, p.Input)
	p.WrittenHour = cmp.Or(p.WrittenHour, p.Written)
	whole := func(dollars float64) int64 { return int64(math.Round(dollars * 1e6)) }
	t.models[model] = append(t.models[model], price{
		from: from, above: p.Above, input: whole(p.Input), cached: whole(p.Cached), output: whole(p.Output),
		written: whole(p.Written), hour: whole(p.WrittenHour),
	})
	return nil
}

// tokensMax bounds what is computed with, so that nothing overflows.
const tokensMax = math.MaxInt32

// Cost returns what a call that began at a time costs, in billionths of a US dollar. It is not ok if that is not known, because
// the model is not in the table, or no token was counted.
func (t *Table) Cost(model string, at time.Time, n Tokens) (nanodollars int64, ok bool) {
	if t == nil || n.Input < 0 && n.Output < 0 {
		return 0, false
	}
	input, output := min(max(n.Input, 0), tokensMax), min(max(n.Output, 0), tokensMax)
	cached := min(max(n.Cached, 0), input)
	written := min(max(n.Written, 0), input-cached)
	hour := min(max(n.WrittenHour, 0), written)
	var p *price
	for prices := t.of(model); len(prices) > 0; prices = prices[1:] { // the last that holds goes before the others
		if q := &prices[0]; q.from <= at.UnixMicro() && (q.above == 0 || input > q.above) {
			p = q
		}
	}
	if p == nil {
		return 0, false
	}
	return thousandth((input-cached-written)*p.input) + thousandth(cached*p.cached) + thousandth((written-hour)*p.written) +
		thousandth(hour*p.hour) + thousandth(output*p.output), true
}

func thousandth(n int64) int64 { return (n + 500) / 1000 }

// of returns the prices of a model: those under its name, or under its name without a version.
func (t *Table) of(model string) []price {
	name := canonical(model)
	if prices := t.models[name]; prices != nil {
		return prices
	}
	for end := strings.LastIndexByte(name, '-'); end > 0; end = strings.LastIndexByte(name[:end], '-') {
		if prices := t.models[name[:end]]; prices != nil {
			if version.MatchString(name[end+1:]) {
				return prices
			}
			return nil
		}
	}
	return nil
}

// version is what may follow a model's name without making it another model: a date, or that it is the latest.
var version = regexp.MustCompile(`^(0|latest|exp|beta|preview|(preview-|exp-)?(\d{2}-\d{2}(-\d{4})?|\d{2}-\d{4}|\d{3,4}|\d{6}|\d{8}|\d{4}-\d{2}-\d{2}))$`)

// offer is how a service that offers the models of others names them: by region and maker before, and its own version after.
var (
	offer        = regexp.MustCompile(`^([a-z]{2,6}\.)?(anthropic|openai|google|mistral|cohere|deepseek|moonshot|moonshotai|xai)\.`)
	offerVersion = regexp.MustCompile(`(-v\d+)?:\d+$`)
)

// canonical is a model's name without who offers it, and with one spelling of its version.
func canonical(model string) string {
	name := strings.ToLower(strings.TrimSpace(model))
	name = name[strings.LastIndexByte(name, '/')+1:]
	name, _, _ = strings.Cut(name, "[") // claude-sonnet-4-5[1m]
	name = offerVersion.ReplaceAllString(offer.ReplaceAllString(name, ""), "")
	return strings.NewReplacer(".", "-", "@", "-").Replace(name)
}
