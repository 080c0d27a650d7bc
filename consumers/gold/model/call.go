package model

import (
	"cmp"
	"math"

	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/internal/price"
)

// Call is what an entity adds to the metrics and the graph: a function of its state. Only entities with a capability
// are calls, and sessions are not: their notifications ask for nothing.
type Call struct {
	Use
	kind                             string // bronze.CapabilityModel and so on
	Provider                         string
	Latency                          int64 // microseconds, -1 if unknown
	Bytes, InputTokens, OutputTokens int64
	Cost                             int64 // in billionths of a US dollar; unpriced if it is not known
}

// Use is the part of a call that the graph shows.
type Use struct {
	Workflow, Agent string
	Capability      Node
	Start           TimeKey // of its start
	Ended           int64   // never if it has not
	Failed          bool
}

// CallOf returns the call that the entity is, the zero call if it is none.
func CallOf(id uuid.UUID, e *EntityState) (c Call) {
	if e.capability.Value == "" || e.kind == KindSession || e.Hidden {
		return c
	}
	kind := NodeCapability
	switch e.kind {
	case KindMessage, bronze.KindUsage, bronze.KindEmbedding, bronze.KindTurn:
		kind = NodeModel
	}
	if e.capabilityKind.Value == bronze.CapabilityModel {
		kind = NodeModel
	}
	return Call{
		Use: Use{
			Workflow: e.Workflow, Agent: e.agent.Value, Capability: Node{kind, e.capability.Value},
			Start: TimeKey{e.started(), e.firstPosition, id}, Ended: e.ended(), Failed: e.failed(),
		},
		kind: cmp.Or(e.capabilityKind.Value, defaultKinds[kind]), Provider: e.provider.Value, Latency: e.latency(), Bytes: e.bytes,
		InputTokens: max(e.inputTokens, 0), OutputTokens: max(e.outputTokens, 0), Cost: e.nanodollars(),
	}
}

// CountedCall returns the call that the entity adds to metrics and graph: none where another entity that sees it counts.
func CountedCall(id uuid.UUID, e *EntityState) Call {
	if e.CountedAs != uuid.Nil {
		return Call{}
	}
	return CallOf(id, e)
}

// None tells whether there is no call.
func (c *Call) None() bool { return c.Capability.Name == "" }

// defaultKinds are the kinds of capabilities of which no event says it.
var defaultKinds = map[string]string{NodeModel: bronze.CapabilityModel, NodeCapability: bronze.CapabilityTool}

// unpriced is the price of what has none.
const unpriced = -1

// maxReportedCost bounds a cost that an event tells, in US dollars, so that sums of it do not overflow.
const maxReportedCost = 1e6

// Reprice computes what the entity costs by the table of prices: a function of its state. It is part of the state, so that what it
// added to the sums can be taken out again after the table has changed.
func (e *EntityState) Reprice(prices *price.Table) {
	e.price = unpriced
	if e.capability.Value == "" || e.kind == KindSession {
		return
	}
	n := price.Tokens{Input: e.inputTokens, Cached: e.cachedTokens, Written: e.written, WrittenHour: e.hour, Output: e.outputTokens}
	if cost, ok := prices.Cost(e.capability.Value, TimeOf(e.started()), n); ok {
		e.price = cost
	}
}

// nanodollars is what the entity costs in billionths of a US dollar, unpriced if that is not known. What its events tell goes before
// what the table says.
func (e *EntityState) nanodollars() int64 {
	if e.cost < 0 {
		return e.price
	}
	return int64(math.Round(min(e.cost, maxReportedCost) * 1e9))
}

// dollars is what the entity costs in US dollars, -1 if that is not known.
func (e *EntityState) dollars() float64 {
	if e.cost < 0 && e.price >= 0 {
		return float64(e.price) / 1e9
	}
	return e.cost
}
