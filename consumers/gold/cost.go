package gold

import (
	"math"

	"assay/internal/price"
)

// unpriced is the price of what has none.
const unpriced = -1

// toldMax bounds a cost that an event tells, in US dollars, so that sums of it do not overflow.
const toldMax = 1e6

// reprice computes what the entity costs by the table of prices: a function of its state. It is part of the state, so that what it
// added to the sums can be taken out again after the table has changed.
func (e *entity) reprice(prices *price.Table) {
	e.price = unpriced
	if e.capability.value == "" || e.kind == KindSession {
		return
	}
	n := price.Tokens{Input: e.inputTokens, Cached: e.cachedTokens, Output: e.outputTokens}
	if cost, ok := prices.Cost(e.capability.value, timeOf(e.started()), n); ok {
		e.price = cost
	}
}

// nanodollars is what the entity costs in billionths of a US dollar, unpriced if that is not known. What its events tell goes before
// what the table says.
func (e *entity) nanodollars() int64 {
	if e.cost < 0 {
		return e.price
	}
	return int64(math.Round(min(e.cost, toldMax) * 1e9))
}

// dollars is what the entity costs in US dollars, -1 if that is not known.
func (e *entity) dollars() float64 {
	if e.cost < 0 && e.price >= 0 {
		return float64(e.price) / 1e9
	}
	return e.cost
}
