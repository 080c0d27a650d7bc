package gold

import (
	"assay/consumers/gold/erase"
	"assay/consumers/gold/fold"
	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// StateVersion changes whenever the meaning of the state does; a store of another version must be rebuilt.
const StateVersion = model.StateVersion

// What is put into Gold.
type (
	// Journal keeps commits in their order, for whoever takes a partition over.
	Journal = state.Journal
	// Batch is one record of SILVER and the sequence of the message that brought it.
	Batch = fold.Batch
	// EraseScope is what Forget needs to know, once folding stands still.
	EraseScope = erase.Scope
	// FaultPoint names a step of Gold's protocols, for tests that crash it there.
	FaultPoint = state.FaultPoint
)

// What is asked of Gold.
type (
	// Entity is the current state of an entity, as the table entities shows it.
	Entity = model.Entity
	// Metric is one row of the capability metrics.
	Metric = model.Metric
	// Element is a node or an edge of the usage graph.
	Element = model.Element
	// Totals count what the state holds.
	Totals = model.Totals
	// TraceCount says what traces has of one workflow.
	TraceCount = model.TraceCount
	// Latencies are counts of latencies by bin, from several rows of metrics.
	Latencies = model.Latencies
	// Forgotten counts what Forget took out.
	Forgotten = erase.Forgotten
	// Copy is the state of a partition that another process owns, kept even with its journal.
	Copy = state.Copy
)

// LatencyAccuracy bounds the relative error of latency quantiles.
const LatencyAccuracy = model.LatencyAccuracy
